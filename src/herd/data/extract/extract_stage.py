"""Pages become text, Markdown loses its marks, broken characters are mended: a stage of curation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from herd.data.document import Document
from herd.data.extract.main_text import main_text
from herd.data.extract.markdown import without_markdown
from herd.data.extract.repair import repaired
from herd.data.stage import Outcome, Transform

MARKDOWN = (".md", ".markdown")
MAX_TITLE_CHARS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractStage:
    """Extract the main text of pages (Llama 3, section 3.1.1); mend all text.

    `tables` keeps the cells of tables, `pictures` the alternative text of pictures. A page's title goes
    into meta `title`.
    """

    name: ClassVar[str] = "extract"
    version: ClassVar[int] = 2
    tables: bool = True
    pictures: bool = True
    strip_markdown: bool = True
    repair: bool = True

    def open(self) -> Transform:
        """Return the function of the stage."""

        def transform(documents: Sequence[Document]) -> Outcome:
            outcome = Outcome()
            for document in documents:
                if document.kind == "page":
                    self._extract(document, outcome)
                else:
                    self._clean(document, outcome)
            return outcome

        return transform

    def _extract(self, document: Document, outcome: Outcome) -> None:
        found = main_text(document.text, tables=self.tables, pictures=self.pictures)
        text = repaired(found.text)[0] if self.repair else found.text
        if not text.strip():
            outcome.drop(document, "no main text", f"{len(document.text)} characters of HTML")
            return
        outcome.count("formulas", found.n_formulas)
        outcome.count("code blocks", found.n_code_blocks)
        outcome.count("pictures", found.n_pictures)
        title = {"title": found.title[:MAX_TITLE_CHARS]} if found.title else {}
        extracted = replace(document, text=text, kind="prose", meta={**document.meta, **title})
        detail = f"{len(text)} of {len(document.text)} characters"
        outcome.change(extracted, f"page: {found.how}", detail)

    def _clean(self, document: Document, outcome: Outcome) -> None:
        text, what = document.text, []
        if self.strip_markdown and _is_markdown(document):
            text = without_markdown(text)
            what += ["Markdown"] if text != document.text else []
        if self.repair:
            text, mended = repaired(text)
            what += mended
        if not what:
            outcome.documents.append(document)
        elif text.strip():
            outcome.change(replace(document, text=text), what[0], ", ".join(what))
        else:
            outcome.drop(document, "nothing left", ", ".join(what))


def _is_markdown(document: Document) -> bool:
    name = document.name.split("#")[0].lower()
    return document.kind == "prose" and name.endswith(MARKDOWN)
