"""Posts that deliver reports. Run as a program, it explains the server's answer to a post."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from text import say, tell_all

# The server takes 1 MiB and 10,000 items a post.
POST_BYTES_MAX = 900 * 1024
POST_ITEMS_MAX = 5000
TEXT_MAX = 1000


def write_posts(work: str, reports: list[dict[str, Any]]) -> None:
    """Writes the posts of the reports to WORK/posts, in the order in which they are sent."""
    for number, post in enumerate(posts_of(reports)):
        with open(os.path.join(work, "posts", f"{number:04}.json"), "w", encoding="utf-8") as file:
            file.write(post)


def posts_of(reports: list[dict[str, Any]]) -> list[str]:
    """The texts that are posted, each a JSON array. A server whose report is too large alone is cut."""
    posts: list[list[str]] = []
    items: list[str] = []
    size = 0
    for report in reports:
        text = fitted(report)
        length = len(text.encode())
        if items and (size + length > POST_BYTES_MAX or len(items) == POST_ITEMS_MAX):
            posts.append(items)
            items, size = [], 0
        items.append(text)
        size += length
    return ["[\n" + ",\n".join(each) + "\n]\n" for each in ([*posts, items] if items else posts)]


def fitted(report: dict[str, Any]) -> str:
    """A report as JSON. If there are too many differences, the first of them and the number of the others."""
    text = json.dumps(report, ensure_ascii=False)
    files = report.get("files", [])
    kept = files
    while len(text.encode()) > POST_BYTES_MAX or len(kept) > POST_ITEMS_MAX:
        kept = kept[: min(len(kept) // 2, POST_ITEMS_MAX - 1)]
        more = {"name": f"{len(files) - len(kept)} more files", "kind": "other"}
        text = json.dumps(dict(report, drift_count=len(kept) + 1, files=[*kept, more]), ensure_ascii=False)
    return text


def answer(url: str, curl_code: str, received: str, posted: str, file: str) -> int:
    """Logs the result of a post; returns 0 if it was acknowledged, else 3.

    `received` has the status, the type of the answer and the target of a redirect, a line each.
    """
    http_code, content_type, location = (received.split("\n") + ["", "", ""])[:3]
    with open(file, "rb") as stream:
        text = stream.read(16 * 1024 * 1024).decode("utf-8", "replace")
    body = parsed(text)
    if curl_code != "0":
        say(f"NOT ACKNOWLEDGED by {url}: curl ended with exit code {curl_code}. The next run reports again.")
        return 3
    if http_code.startswith("2"):
        missing = missing_receipts(content_type, body, posted)
        if missing is None:
            tell_receipts(url, http_code, body)
            return 0
        say(f"NOT ACKNOWLEDGED by {url}: it answered {http_code}, but {missing}. Is this the status server?")
    else:
        moved = f", which redirects to {location}: use that address" if location else ""
        say(f"NOT ACKNOWLEDGED by {url}: it answered {http_code}{moved}. The next run reports again.")
    if isinstance(body, dict):
        tell_all([f"{body[name]}" for name in ("title", "detail") if name in body])
        errors = body.get("errors")
        errors = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        tell_all([f"{error.get('pointer') or '/'} {error.get('detail')}" for error in errors])
        tell_all([f"See {body['help']}"] if "help" in body else [])
    else:
        tell_all(text[:TEXT_MAX].splitlines())
    return 3


def missing_receipts(content_type: str, body: Any, posted: str) -> str | None:
    """The reason why an answer does not acknowledge a post; None if it does."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        return f"with {content_type or 'no Content-Type'} instead of receipts"
    receipts = body if isinstance(body, list) else []
    statuses = [receipt.get("status") for receipt in receipts if isinstance(receipt, dict)]
    known = {(status.get("repo"), status.get("server")) for status in statuses if isinstance(status, dict)}
    with open(posted, encoding="utf-8") as file:
        missing = [report["server"] for report in json.load(file) if (report["repo"], report["server"]) not in known]
    return f"without a receipt for {', '.join(missing[:5])}" if missing else None


def tell_receipts(url: str, http_code: str, receipts: list[dict[str, Any]]) -> None:
    counts: dict[str, int] = {}
    for receipt in receipts:
        result = str(receipt.get("result"))
        counts[result] = counts.get(result, 0) + 1
        if receipt.get("reason"):
            say(f"{receipt['status'].get('server')}: {result}, {receipt['reason']}")
    sums = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    say(f"Acknowledged by {url} ({http_code}): {sums}")


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(answer(*sys.argv[1:]))
