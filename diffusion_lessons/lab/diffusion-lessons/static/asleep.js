// Added to JupyterLab by installing the package: a widget that the kernel does not know shows its still copy.
const VIEW = "application/vnd.jupyter.widget-view+json";
const NOTE = "<p><em>This is a picture of the widget. To wake it: Run, Run All Above Selected Cell, then run this cell.</em></p>";

function activate({ shell }) {
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
