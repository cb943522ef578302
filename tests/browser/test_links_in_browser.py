"""Links in JupyterLab: one lands on its section at the first click, the map opens its lesson."""

from tests.browser.lab import PANEL, opened

ON_SHOW = f"""heading => [...document.querySelectorAll(`{PANEL} :is(h2, h3)`)].some((node) => {{
  const {{ top }} = node.getBoundingClientRect();
  return node.dataset.jupyterId === heading && top > 0 && top < 600; }})"""
SHOWN = "path => window.jupyterapp.shell.currentWidget.context.path === path"


def test_a_link_lands_on_its_section_and_the_map_opens_a_lesson(browser, lab):
    with opened(browser, lab, "glossary.ipynb") as notebook:
        page = notebook.page
        page.get_by_role("link", name="Lesson 02: Deeper: attention").first.click()
        page.wait_for_function(ON_SHOW, arg="Deeper:-attention")
        page.locator(f"{PANEL} .dl-part", has_text="sampler").press("Enter")
        page.wait_for_function(SHOWN, arg="03_reverse_sampler.ipynb")
        assert len(page.context.pages) == 1 and notebook.faults == []
        for _ in range(2):
            page.wait_for_function("() => window.probe.ready()")
            page.evaluate("() => window.probe.close()")
