// What the browser tests ask a JupyterLab page: loaded into every page they open.

window.probe = (() => {
  const panel = () => window.jupyterapp?.shell?.currentWidget;
  const WIDGET_CONTROL = "jupyter.widget.control";
  const VIEW = "application/vnd.jupyter.widget-view+json";
  const kernelSaid = [];
  const TOO_EARLY = `No such comm target registered: ${WIDGET_CONTROL}`;
  const opened = new Set(); // comms that the kernel has opened: one for each widget
  const onTheWay = new Set(); // what widgets told the kernel and it has not worked off yet
  let told = 0;

  /** Whether the notebook in front has an idle kernel (the one at `path`, where one is given), or a
   *  dialog asks for one. */
  function ready(path) {
    if (document.querySelector(".jp-Dialog")) return true;
    if (path && panel()?.context?.path !== path) return false;
    if (!panel()?.content?.model) return false;
    return panel().sessionContext?.session?.kernel?.status === "idle";
  }

  /** Whether a kernel grumbles, on stderr, about the comm by which JupyterLab asks it for the widgets
   *  that it has. JupyterLab asks when it connects, perhaps before this page could listen, and no cell
   *  has imported widgets then. That is no one's fault; a comm that the kernel opened itself is. */
  function askedTooEarly(text) {
    const unknown = /^No such comm: (\S+)$/.exec(text);
    return text === TOO_EARLY || Boolean(unknown && !opened.has(unknown[1]));
  }

  /** Begin to open a notebook; `ready` says when it is. What JupyterLab promises here can be lost on
   *  the way ("Resulting promise was garbage collected", once in some hundred notebooks): nobody waits
   *  for it. */
  function open(path) {
    void window.jupyterapp.commands.execute("docmanager:open", { path });
  }

  /** End the kernel and close the notebook, saved or not. */
  async function close() {
    const notebook = panel();
    await notebook.sessionContext.shutdown();
    notebook.dispose();
  }

  /** Keep what the kernel says about callbacks: such errors belong to no cell. */
  function listen() {
    kernelSaid.length = 0;
    for (const known of [opened, onTheWay]) known.clear();
    panel().sessionContext.session.kernel.anyMessage.connect((_, { msg, direction }) => {
      const parent = msg.parent_header?.msg_type;
      const { msg_type: type, msg_id: id } = msg.header;
      if (direction === "recv" && type === "comm_open") opened.add(msg.content.comm_id);
      if (direction === "send" && type === "comm_msg") {
        onTheWay.add(id);
        told += 1;
      }
      if (direction !== "recv" || parent === "execute_request") return;
      if (type === "status" && msg.content.execution_state === "idle") onTheWay.delete(msg.parent_header.msg_id);
      if (type === "error") kernelSaid.push(`${msg.content.ename}: ${msg.content.evalue}`);
      if (type === "stream" && msg.content.name === "stderr") kernelSaid.push(msg.content.text);
    });
  }

  function startCell(index) {
    panel().content.activeCellIndex = index;
    panel().content.deselectAll();
    void window.jupyterapp.commands.execute("notebook:run-cell");
  }

  function idle() {
    if (!window.jupyterapp) return !document.querySelector("[aria-busy=true]"); // a page without a kernel
    const prompts = [...panel().node.querySelectorAll(".jp-InputPrompt")].map((n) => n.textContent);
    const { status } = panel().sessionContext.session.kernel;
    return status === "idle" && !prompts.some((text) => text.includes("*"));
  }

  /** Changes while outputs are still arriving, or the kernel is still being told something. */
  function movement() {
    const sizes = [...document.querySelectorAll(".jp-OutputArea-output")]
      .map((n) => `${n.innerHTML.length}:${n.getBoundingClientRect().height}`);
    return [told, ...sizes].join();
  }

  /** Whether the kernel has worked off all that widgets told it. */
  const heard = () => onTheWay.size === 0;

  function cellsHeight() {
    const cells = [...panel().node.querySelectorAll(".jp-Cell")];
    return cells.reduce((sum, n) => sum + n.getBoundingClientRect().height + 4, 0);
  }

  /** What a cell has put out: for each output its kinds of data, or text. */
  function outputs(index) {
    const { outputs: all } = panel().content.model.sharedModel.toJSON().cells[index];
    return all.map((output) => Object.keys(output.data ?? { text: output.text }));
  }

  /** Widgets of which nothing came into the page: one that fails as it is drawn says so nowhere. */
  function dead() {
    const drawn = (node) => node.querySelector(".jp-OutputArea-output > .lm-Widget > *");
    return panel().content.widgets.flatMap(({ outputArea }, i) =>
      (outputArea?.widgets ?? [])
        .filter(({ node }, at) => outputArea.model.get(at)?.data[VIEW] && !drawn(node))
        .map(() => `cell ${i}: a widget is dead: nothing of it is in the page`),
    );
  }

  function errors() {
    const { cells } = panel().content.model.sharedModel.toJSON();
    const shown = cells.flatMap((cell, i) =>
      (cell.outputs ?? [])
        .filter((output) => output.output_type === "error")
        .map((output) => `cell ${i}: ${output.ename}: ${output.evalue}`),
    );
    const faults = kernelSaid.filter((text) => !askedTooEarly(text.trim()));
    return [...shown, ...dead(), ...faults.map((text) => `a callback failed: ${text}`)];
  }

  function hash(text) {
    let sum = 0;
    for (let i = 0; i < text.length; i += 1) sum = (sum * 31 + text.charCodeAt(i)) | 0;
    return sum;
  }

  /** What an output shows: its pictures and drawings, or its words where it has no picture. */
  function seen(node) {
    const pictures = [...node.querySelectorAll("canvas, img, svg")];
    if (pictures.length === 0) {
      return [...node.querySelectorAll("p, pre")].map((n) => n.textContent).join("\n");
    }
    const ink = { canvas: (n) => n.toDataURL(), img: (n) => n.src, svg: (n) => n.innerHTML };
    return pictures.map((n) => hash(ink[n.localName](n))).join();
  }

  /** What an output says to a screen reader by itself, beside what it shows. */
  function announced(node) {
    return [...node.querySelectorAll("[role=status]")].map((n) => n.textContent).join("\n");
  }

  function hasName(node) {
    const notContent = "[aria-hidden=true], button, .jp-OutputPrompt, .jp-Toolbar, mjx-container";
    if (node.closest(notContent)) return true;
    const placeholder = /^(image|figure|picture|plot)?$/i; // JupyterLab puts alt="Image" where none is
    if (node.localName === "img") return !placeholder.test((node.getAttribute("alt") ?? "").trim());
    const image = node.closest("[role=img]");
    const name = image?.getAttribute("aria-label") ?? image?.querySelector(":scope > title")?.textContent;
    return Boolean(name?.trim());
  }

  /** Pictures under the selectors that a screen reader cannot name. */
  function nameless(selectors) {
    return [...document.querySelectorAll(selectors.map((one) => `${one} :is(img, canvas, svg)`).join())]
      .filter((node) => !node.parentElement?.closest("svg") && !hasName(node))
      .map((node) => node.outerHTML.slice(0, 100));
  }

  function nameOf(control) {
    const label = control.labels?.[0]?.textContent.trim() || control.textContent.trim();
    const name = label || control.getAttribute("aria-label") || "without a name";
    return `${control.getAttribute("role") ?? (control.type || control.localName)} '${name}'`;
  }

  return { ready, open, close, listen, startCell, idle, heard, movement, cellsHeight, outputs, errors, seen, announced, nameless, nameOf };
})();
