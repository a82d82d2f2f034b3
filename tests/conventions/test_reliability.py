"""What RELIABILITY.md says is what the simulator's oracles, mutants and results say."""

import importlib.util
from pathlib import Path


def test_the_page_is_up_to_date(root: Path) -> None:
    """The page is what tools/reliability.py writes."""
    spec = importlib.util.spec_from_file_location("reliability", root / "tools/reliability.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (root / "RELIABILITY.md").read_text() == script.page(), "run tools/reliability.py"
