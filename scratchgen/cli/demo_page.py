"""The local gallery: one HTML page of the demos in a folder, made from their records."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from scratchgen.cli.demo import Demo
from scratchgen.cli.demo_record import Record, read_records

PAGE = "index.html"
STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #57606a; --line: #d0d7de; --back: #ffffff;
  --panel: #f6f8fa; --link: #0757ba; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9da7b1; --line: #3d444d;
  --back: #0d1117; --panel: #161b22; --link: #6cb0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
a { color: var(--link); }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.25rem; margin: 2.5rem 0 0; }
h3 { font-size: 1.1rem; margin: 0 0 .25rem; }
p { margin: .25rem 0; } .soft, dl { color: var(--soft); font-size: .9rem; }
ul.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .75rem;
  padding: 0; list-style: none; }
ul.cards a { display: block; text-decoration: none; font-size: .9rem; line-height: 1.35; }
ul.cards img { width: 100%; height: 110px; object-fit: cover; object-position: top; background: #ffffff;
  border: 1px solid var(--line); border-radius: 6px; }
article { border-top: 1px solid var(--line); margin-top: 1.25rem; padding-top: 1rem; }
article img { display: block; max-width: 100%; height: auto; margin: .75rem 0; background: #ffffff; }
pre { overflow-x: auto; padding: .6rem .8rem; background: var(--panel); border-radius: 6px;
  font-size: .8rem; overflow-wrap: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; margin: .5rem 0 0; }
dd { margin: 0; }
"""


def write_page(out: Path, demos: Mapping[str, Demo], times: Mapping[str, str]) -> Path:
    """Write the page of the records in `out` to out/index.html, and return its path."""
    from scratchgen.data.files import write_whole

    records = read_records(out, demos)
    return write_whole(out / PAGE, page_of(records, demos, times))


def page_of(records: Mapping[str, Record], demos: Mapping[str, Demo], times: Mapping[str, str]) -> str:
    """The page as HTML. It needs no other file than the pictures beside it."""
    cards, articles = [], []
    family = None
    for record in records.values():
        if record.family != family:
            family = record.family
            articles.append(f"<h2>{escape(family)}</h2>")
        cards.append(card(record))
        articles.append(article(record, times.get(record.name)))
    others = [name for name in demos if name not in records]
    missing = ""
    if others:
        missing = (
            f'<h2>Not run yet</h2>\n<p class="soft">{", ".join(map(escape, others))}</p>\n'
            '<p class="soft">Run one with <code>scratchgen demo NAME</code>, or all of them in a given time '
            "with <code>scratchgen gallery --budget 5m</code>.</p>"
        )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n<title>Gallery of demos</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>Gallery</h1>\n"
        f"<p>{len(records)} of {len(demos)} demos of scratchgen, as they ran on this machine.</p>\n"
        f'<ul class="cards">{"".join(cards)}</ul>\n{"".join(articles)}\n{missing}\n</body>\n</html>\n'
    )


def picture(name: str, text: str) -> str:
    return f'<img src="{escape(quote(name))}" alt="{escape(text)}" loading="lazy">'


def card(record: Record) -> str:
    shown = picture(record.figures[0], "") if record.figures else ""
    return f'<li><a href="#{escape(record.name)}">{shown}{escape(record.claim)}</a></li>'


def article(record: Record, usual: str | None) -> str:
    """A demo: its claim, figures, printed text and command, and how it was run."""
    text = f"Figure of the demo {record.name}: {record.claim}"
    figures = "".join(picture(name, text) for name in record.figures)
    note = ""
    if record.is_short:
        note = (
            f'<p class="soft">A short run, with smaller settings than usual ({escape(usual or "a minute")}); '
            "its numbers need not support the claim.</p>"
        )
    rows = "".join(f"<dt>{key}</dt><dd>{escape(text)}</dd>" for key, text in record.about().items())
    return (
        f'<article id="{escape(record.name)}"><h3>{escape(record.claim)}</h3>{note}{figures}'
        f'<pre tabindex="0">{escape(record.printed)}</pre>'
        f'<pre tabindex="0">{escape(record.command)}</pre><dl>{rows}</dl></article>\n'
    )
