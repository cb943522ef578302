// Added to JupyterLab by installing the package: a widget that the kernel does not know shows its still
// copy, and a link into a notebook ends at its section.
const VIEW = "application/vnd.jupyter.widget-view+json";
const NOTE = "<p><em>This is a picture of the widget. To wake it: Run, Run All Above Selected Cell, then run this cell.</em></p>";

/** Stay at the cell that a link names, or at the heading in it that the link's words name, until the
 * reader moves or the notebook is sure to be there: JupyterLab looks once, while it still grows. */
function land(shell, { pathname, hash, textContent }) {
  const file = decodeURIComponent(pathname.split("/").pop());
  const timer = setInterval(() => {
    const { context, content } = shell.currentWidget ?? {};
    const here = context?.path.split("/").pop() === file;
    const cell = here && content.widgets?.find(({ model }) => `#cell-id=${model.id}` === hash)?.node;
    const headings = cell ? [...cell.querySelectorAll(":is(h1, h2, h3, h4)")] : [];
    const goal = headings.find((node) => textContent.includes(node.firstChild.textContent)) ?? cell;
    if (goal) goal.scrollIntoView();
  }, 300);
  const leave = () => clearInterval(timer);
  for (const kind of ["wheel", "keydown", "pointerdown"]) addEventListener(kind, leave, { capture: true, once: true });
  setTimeout(leave, 15000); // a large notebook on a slow machine takes ten seconds to open
}

function activate({ shell }) {
  addEventListener("click", ({ target }) => {
    const link = target.closest?.("a[href*='#cell-id=']");
    if (link) land(shell, link);
  }, true);
  const cells = () => [...shell.widgets("main")].flatMap((panel) => panel.content?.widgets ?? []);
  new MutationObserver((changes) => changes.forEach(({ target }) => {
    if (!target.matches(".jp-OutputArea-output") || !target.textContent.startsWith("Error displaying widget")) return;
    const area = cells().find((cell) => cell.outputArea?.node.contains(target))?.outputArea;
    const at = area?.widgets.findIndex((child) => child.node.contains(target)) ?? -1;
    if (at < 0) return;
    const output = area.model.get(at).toJSON(), { [VIEW]: view, ...data } = output.data;
    if (view && data["text/html"]) area.model.set(at, { ...output, data: { ...data, "text/html": [NOTE, data["text/html"]].flat().join("") } });
  })).observe(document.body, { childList: true, subtree: true });
}
const extension = { __esModule: true, default: { id: "diffusion-lessons:asleep", autoStart: true, activate } };
(window._JUPYTERLAB ??= {})["diffusion-lessons"] = { init() {}, get: async () => () => extension };
