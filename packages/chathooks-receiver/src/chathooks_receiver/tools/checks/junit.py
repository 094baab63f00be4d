"""The report as JUnit XML, which CI systems show."""

from xml.etree import ElementTree

from chathooks_receiver.tools.checks.certify import Report

_MS_PER_S = 1000


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(
        character
        if character in "\t\n\r" or (character >= " " and not "\ud800" <= character <= "\udfff")
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
        if character not in "\ufffe\uffff"
    )


def junit(report: Report) -> bytes:
    """One test suite with a test case per check."""
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": "chathooks-receiver check",
            "hostname": _clean(report.url),
            "tests": str(len(report.judgements)),
            "failures": str(report.failed),
            "skipped": str(report.skipped),
            "errors": "0",
            "time": f"{sum(item.duration_ms for item in report.judgements) / _MS_PER_S:.3f}",
        },
    )
    for item in report.judgements:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": f"chathooks.{item.severity}",
                "name": item.id,
                "time": f"{item.duration_ms / _MS_PER_S:.3f}",
            },
        )
        if item.state == "failed":
            failure = ElementTree.SubElement(
                case, "failure", {"message": _clean(item.detail), "type": item.severity}
            )
            failure.text = _clean(f"Expected of the endpoint: {item.title}.\n{item.advice}")
        elif item.state == "skipped":
            ElementTree.SubElement(case, "skipped", {"message": _clean(item.detail)})
    document: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return document
