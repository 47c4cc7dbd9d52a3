"""The README shows the results that are in the repository, and its Python runs."""

from cvae_keras.results import RESULTS, ROOT


def test_the_readme_shows_the_table_of_the_solved_models():
    lines = (RESULTS / "sinusoid_solved.md").read_text().splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    assert table in (ROOT / "README.md").read_text()


def test_files_that_the_readme_names_are_there():
    readme = (ROOT / "README.md").read_text()
    words = {word.strip("`,.;:()") for word in readme.replace("](", " ").split()}
    paths = {word for word in words if word.startswith(("results/", "notebooks/", "benchmarks/"))}
    paths = {path for path in paths if not path.startswith("results/quick")}
    missing = [path for path in paths if not any(ROOT.glob(path.rstrip("/")))]
    assert paths and not missing
