// Formulas of pages (\(...\), by arithmatex) and of notebooks ($...$), set by KaTeX.
document.addEventListener("DOMContentLoaded", () => {
  const delimiters = [
    { left: "\\(", right: "\\)", display: false },
    { left: "\\[", right: "\\]", display: true },
  ];
  const dollars = [
    { left: "$$", right: "$$", display: true },
    { left: "\\begin{align}", right: "\\end{align}", display: true },
    { left: "\\begin{align*}", right: "\\end{align*}", display: true },
    { left: "$", right: "$", display: false },
  ];
  for (const element of document.querySelectorAll(".arithmatex")) {
    renderMathInElement(element, { delimiters, throwOnError: true });
  }
  for (const element of document.querySelectorAll(".jp-RenderedMarkdown, .jp-RenderedHTMLCommon")) {
    renderMathInElement(element, { delimiters: [...delimiters, ...dollars], throwOnError: true });
  }
});
