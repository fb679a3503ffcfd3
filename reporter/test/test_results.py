"""What is made of the results of Ansible."""

import unittest

from delivery import POST_BYTES_MAX, fitted, posts_of
from differences import Namer, normalized, written_paths
from masks import Masks
from paths import path_of
from results import failures_of, leaves_of, message_of, suppressed_failure
from text import as_name


def invocation(**arguments):
    return {"invocation": {"module_args": arguments}}


class Paths(unittest.TestCase):
    def test_where_a_path_stands(self):
        header = {"diff": [{"before_header": "/etc/a (content)"}, {"before_header": "/etc/a (file attributes)"}]}
        made = {"diff": {"before_header": "/dev/null", "after_header": "/etc/apt/sources.list.d/x.list"}}
        for leaf, path in [
            ({"path": "/etc/a"}, "/etc/a"),
            ({"dest": "/etc/a"}, "/etc/a"),
            ({"gitops_path": "/etc/link", "path": "/etc/target"}, "/etc/link"),
            (invocation(dest="/etc/a"), "/etc/a"),
            ({"path": ["/etc/list"], "dest": "/etc/a"}, "/etc/a"),
            ({"invocation": "CENSORED"}, None),
            (header, "/etc/a"),
            (made, "/etc/apt/sources.list.d/x.list"),
            ({"diff": [{"after_header": "/home/ci/template.j2"}]}, None),
            (dict(invocation(dest="/etc/d/", src="x/y"), changed=True), "/etc/d/y"),
            (dict(invocation(dest="/etc/d"), diff=[{"before_header": "/etc/d/y"}]), "/etc/d/y"),
        ]:
            self.assertEqual(path_of(leaf), path, leaf)

    def test_one_name_for_each_path(self):
        for path, expected in [("/a//b/../c/", "/a/c"), ("//a", "/a"), ("/", "/"), ("~/x", "~/x"), ("/..", "/")]:
            self.assertEqual(normalized(path), expected)

    def test_itemized_files(self):
        rsync = "created directory /d\ncd+++++++++ ./\n>f+++++++++ a b\ncL+++++++++ l -> a\n*deleting   old\n"
        leaf = {"dest": "/d/", "diff": {"prepared": rsync + ".f..t...... t\n"}}
        self.assertEqual(written_paths(leaf, "synchronize"), ["/d/a b", "/d/l", "/d/old", "/d/t"])
        leaf = {"dest": "/d", "diff": {"prepared": ">f++++++.?? a\n.f...p..... s/b\n"}}
        self.assertEqual(written_paths(leaf, "unarchive"), ["/d/a", "/d/s/b"])
        self.assertEqual(written_paths({"dest": "/d"}, "unarchive"), ["/d"])


class Names(unittest.TestCase):
    def names(self, leaf, action, title="Task", position=None):
        return [tuple(each) for each in Namer("/etc/").names(leaf, action, title, position)]

    def test_what_is_no_file(self):
        for leaf, action, name in [
            (invocation(name="nginx"), "service", "service nginx"),
            (invocation(name=["a", "b"]), "apt", "package a, b"),
            (invocation(package="a"), "apt", "package a"),
            (invocation(path="/srv", state="mounted"), "mount", "mount /srv"),
            (invocation(name="de_DE.UTF-8"), "locale_gen", "locale de_DE.UTF-8"),
            (invocation(), "systemd", "Task"),
            ({"censored": "hidden", "path": "/etc/a"}, "copy", "(hidden by no_log) Task"),
            ({"path": "/etc/a"}, "command", "Task"),
            ({}, "copy", "Task"),
        ]:
            self.assertEqual(self.names(leaf, action), [(name, False)], (leaf, action))

    def test_files_beside_the_main_path(self):
        for leaf, action, name in [
            (dict(invocation(path="/srv", state="present"), fstab="/etc/fstab"), "mount", "fstab"),
            (invocation(name="login"), "pamd", "pam.d/login"),
            (invocation(name="job", cron_file="job"), "cron", "cron.d/job"),
            ({"gitops_files": ["/etc/d/x"], "dest": "/etc/d"}, "copy", "d/x"),
        ]:
            self.assertEqual(self.names(leaf, action), [(name, True)], (leaf, action))

    def test_tasks_of_one_name(self):
        namer = Namer("/etc/")
        self.assertEqual(
            [namer.title("Key", 1), namer.title("Key", 2), namer.title("Key", 1)], ["Key", "Key (2)", "Key"]
        )

    def test_items(self):
        self.assertEqual(self.names({"item": "x"}, "command", "Run", 2), [("Run (x)", False)])
        self.assertEqual(self.names({"item": {"password": "x"}}, "command", "Run", 2), [("Run (item 2)", False)])

    def test_what_nobody_can_see(self):
        self.assertEqual(as_name(" a\u200bb\n"), "\\u0020a\\u200bb\\u000a")


class Failures(unittest.TestCase):
    def test_items_are_named(self):
        items = [{"failed": True, "msg": "no", "item": "a"}, {"item": "b"}, {"unreachable": True, "msg": "gone"}]
        result = {"failed": True, "msg": "One or more items failed", "results": items}
        self.assertEqual(failures_of(result), ["failed (a): no", "unreachable (item 3): gone"])

    def test_the_reason(self):
        for leaf, message in [
            ({"msg": "no"}, "no"),
            ({"reason": "gone"}, "gone"),
            ({}, "no message"),
            (
                {"msg": "MODULE FAILURE", "module_stderr": "Traceback\nKeyError: 'x'\n"},
                "MODULE FAILURE (KeyError: 'x')",
            ),
            ({"msg": "x" * 1000}, "x" * 500),
        ]:
            self.assertEqual(message_of(leaf), message)

    def test_hidden_by_failed_when(self):
        hidden = {"failed_when_result": False, "changed": False, "msg": "gone"}
        self.assertEqual(suppressed_failure(dict(hidden, rc=257), "lineinfile"), "gone")
        self.assertEqual(suppressed_failure(dict(hidden, state="absent"), "file"), "gone")
        self.assertEqual(suppressed_failure(dict(hidden, failed_when_suppressed_exception="x"), "copy"), "gone")
        self.assertIsNone(suppressed_failure(dict(hidden, failed_when_suppressed_exception="x"), "command"))
        self.assertIsNone(suppressed_failure(hidden, "copy"))

    def test_a_failed_loop_has_changed_items(self):
        items = [{"changed": True}, {"changed": False}]
        self.assertEqual(leaves_of({"changed": False, "results": items}), [(1, items[0]), (2, items[1])])
        module = {"changed": True, "results": [{"name": "x"}]}
        self.assertEqual(leaves_of(module), [(None, module)])


class Hidden(unittest.TestCase):
    def test_what_looks_like_a_secret(self):
        for text, expected in [
            ("DB_PASSWORD=hunter2", "DB_PASSWORD=***"),
            ('"api_key": "abc", "b": 1', '"api_key": ***, "b": 1'),
            ("passwd = 'a b'", "passwd = ***"),
            ("<token>abc</token>", "<token>***</token>"),
            ("snmp-server community public", "snmp-server community ***"),
            ("root:$6$abc$def:1", "root:***:1"),
            ("url=https://u:p@h/x", "url=https://u:***@h/x"),
            ("Authorization: Bearer abcdefghijk", "Authorization: Bearer ***"),
            ("+" + "A" * 64, "+***"),
            ("user = x\nport: 514", "user = x\nport: 514"),
        ]:
            self.assertEqual(Masks().hide(text), expected)
        key = "-----BEGIN RSA PRIVATE KEY-----\n+abc\n+-----END RSA PRIVATE KEY-----\n"
        self.assertNotIn("abc", Masks().hide(key))
        self.assertNotIn("abc", Masks().hide(key[:40]))

    def test_more_patterns(self):
        self.assertEqual(Masks(("SN-[0-9]+", "id=(?P<secret>.)")).hide("SN-12 id=7"), "*** id=***")

    def test_long_texts(self):
        # With a pattern that takes quadratic time this does not end.
        for text in ("a", "password", "://", "-----BEGIN ", " \n", "password ", "$6$", "basic ", "A/"):
            Masks().hide(text * (200_000 // len(text)))


class Posts(unittest.TestCase):
    def test_parts(self):
        self.assertEqual(posts_of([]), [])
        snapshot = {"repo": "r", "server": "s", "drift_count": 20_000}
        snapshot["files"] = [{"name": f"{index:0100}"} for index in range(20_000)]
        text = fitted(snapshot)
        self.assertLess(len(text), POST_BYTES_MAX)
        self.assertIn('"kind": "other"', text)


if __name__ == "__main__":
    unittest.main()
