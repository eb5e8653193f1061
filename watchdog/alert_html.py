"""An alert as HTML: one sober column, inline styles only, no picture, no link, nothing to load. Pure.

Every text is escaped here and nowhere else; the result is ASCII, so that no mail server has to change it.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from watchdog.alert import Alert, Section

#: A colour says nothing that the words do not say; each has a contrast of 4.5 and more to white (WCAG AA).
_COLOURS: Final = {"trouble": "#b3261e", "warning": "#8a5a00", "recovered": "#1b6e3c", "notice": "#455a64"}
_LABELS: Final = {"trouble": "Trouble", "warning": "Warnings", "recovered": "Recovered", "notice": "Notice"}

_FONT: Final = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO: Final = "font-family:ui-monospace,Consolas,Menlo,monospace"

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{subject}</title>
</head>
<body style="margin:0;padding:16px;background:#f3f4f6;color:#1f2328;{font};font-size:15px;line-height:1.5">
<div style="max-width:640px;margin:0 auto;background:#ffffff;border:1px solid #d0d7de;border-top:4px solid {colour}">
<div style="padding:16px 20px 0">
<div style="font-size:13px;font-weight:600;color:{colour}">{label}</div>
<h1 style="margin:2px 0 0;font-size:19px;line-height:1.35;font-weight:600;overflow-wrap:anywhere">{headline}</h1>
</div>
<div style="padding:0 20px 20px">
{sections}
</div>
</div>
</body>
</html>
"""
_TITLE: Final = '<h2 style="margin:18px 0 4px;font-size:13px;font-weight:600;color:#57606a">{}</h2>'
_DIVIDER: Final = (
    '<h2 style="margin:28px 0 0;padding-top:16px;border-top:1px solid #d0d7de;'
    'font-size:16px;line-height:1.35;font-weight:600;overflow-wrap:anywhere">{}</h2>'
)
_WORDS: Final = '<p style="margin:0;overflow-wrap:anywhere">{}</p>'
_FACTS: Final = '<table role="presentation" style="border-collapse:collapse;width:100%;font-size:14px">\n{}\n</table>'
_FACT: Final = (
    "<tr>"
    '<td style="padding:3px 14px 3px 0;vertical-align:top;white-space:nowrap;color:#57606a">{}</td>'
    '<td style="padding:3px 0;vertical-align:top;width:100%;overflow-wrap:anywhere">{}</td>'
    "</tr>"
)
_COMMAND: Final = (
    '<p style="margin:8px 0 2px;color:#57606a;font-size:14px">{}:</p>\n'
    '<pre style="margin:0;padding:8px 10px;background:#f6f8fa;border:1px solid #d0d7de;'
    "font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere;" + _MONO + '">{}</pre>'
)


def rendered(alert: Alert) -> str:
    """Return the whole page."""
    page = _PAGE.format(
        font=_FONT,
        subject=html.escape(alert.subject),
        headline=html.escape(alert.headline),
        label=_LABELS[alert.tone],
        colour=_COLOURS[alert.tone],
        sections="\n".join(map(_section, alert.sections)),
    )
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _section(section: Section) -> str:
    is_divider = not (section.words or section.facts or section.commands)
    parts = [(_DIVIDER if is_divider else _TITLE).format(html.escape(section.title))]
    if section.words:
        parts.append(_WORDS.format(html.escape(section.words)))
    if section.facts:
        rows = (_FACT.format(html.escape(name), html.escape(value)) for name, value in section.facts)
        parts.append(_FACTS.format("\n".join(rows)))
    parts += [_COMMAND.format(html.escape(purpose), html.escape(command)) for purpose, command in section.commands]
    return "\n".join(parts)
