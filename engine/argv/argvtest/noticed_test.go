//go:build linux

package argvtest

// The comparison itself: a program equals itself, and is told from itself with
// another command line.

import (
	"strings"
	"testing"
)

// mutation is a pair of lines, and the beginning of a key that must differ.
type mutation struct {
	key  string
	a, b line
}

func (p *pair) notices(t *testing.T, list []mutation) {
	t.Helper()
	each(t, func(t *testing.T, w who) {
		s := newSite(t, w)
		for _, m := range list {
			if p.unknown(&m.a) != "" || p.unknown(&m.b) != "" {
				continue
			}
			a := m.a.run(t, p.theirs, s)
			if d := compare(a, m.a.run(t, p.theirs, s)); len(d) > 0 {
				t.Errorf("%q is not the same twice: %v", m.a.args, d)
			}
			b := m.b.run(t, p.theirs, s)
			found := false
			for _, d := range compare(a, b) {
				found = found || strings.HasPrefix(d.key, m.key)
			}
			if !found {
				t.Errorf("%q and %q: no difference in %q\n%v\n%s\n%s", m.a.args, m.b.args, m.key, compare(a, b), a[noteKey], b[noteKey])
			}
		}
	})
}

func words(s string) line { return line{args: strings.Fields(s)} }

func TestBwrapNotices(t *testing.T) {
	t.Parallel()
	bwrapSelf(t).notices(t, []mutation{
		{"mount /x", words("--bind @T/src /x"), words("--ro-bind @T/src /x")},
		{"tree /x/file", words("--bind @T/src /x"), words("--ro-bind @T/src /x")},
		{"mount /dev", words("--dev-bind /dev /dev"), words("--bind /dev /dev")},
		{"tree /x", words(""), words("--dir /x --perms 0700 --dir /x")},
		{"tree /x", words("--perms 0701 --dir /x"), words("--perms 0700 --dir /x")},
		{"tree /x", words("--symlink a /x"), words("--symlink b /x")},
		{"tree /x", line{args: words("--file 10 /x").args, fds: map[int]string{10: "data:a"}}, line{args: words("--file 10 /x").args, fds: map[int]string{10: "data:b"}}},
		{"environment", words("--setenv A b"), words("")},
		{"environment", words("--setenv A b"), words("--setenv A c")},
		{"environment", words("--unsetenv FOO"), words("")},
		{"capabilities effective", words("--cap-drop ALL --cap-add CAP_CHOWN"), words("--cap-drop ALL")},
		{"capabilities bounding", words("--unshare-user --cap-drop ALL --cap-add CAP_CHOWN"), words("--unshare-user --cap-drop ALL")},
		{"capabilities ambient", words("--cap-drop ALL --cap-add CAP_CHOWN"), words("--cap-drop ALL")},
		{"exit", line{exit: 3}, line{exit: 4}},
		{"exit", line{exit: 3}, line{signal: 9}},
		{"exit", words("--no-such-option"), words("")},
		{"cwd", words("--chdir /"), words("--dir /y --chdir /y")},
		{"cwd", words("--bind @T @T"), line{args: words("--bind @T @T").args, dir: "@T/src"}},
		{"umask", line{umask: 0o77}, line{umask: 0o27}},
		{"namespace net", words("--unshare-net"), words("")},
		{"interface", words("--unshare-net"), words("")},
		{"namespace ipc", words("--unshare-ipc"), words("")},
		{"namespace pid", words("--unshare-pid"), words("")},
		{"pid", words("--unshare-pid"), words("--unshare-pid --as-pid-1")},
		{"namespace uts", words("--unshare-uts"), words("")},
		{"namespace cgroup", words("--unshare-cgroup"), words("")},
		{"hostname", words("--unshare-uts --hostname a"), words("--unshare-uts")},
		{"uid", words("--unshare-user --uid 7"), words("--unshare-user --uid 8")},
		{"uid_map", words("--unshare-user --uid 7"), words("--unshare-user --uid 8")},
		{"gid", words("--unshare-user --gid 7"), words("--unshare-user --gid 8")},
		{"session", words("--new-session"), words("")},
		{"parent-death signal", words("--die-with-parent"), words("")},
		{"call keyctl", line{args: words("--seccomp 10").args, fds: map[int]string{10: "seccomp:"}}, words("")},
		{"status Seccomp", line{args: words("--seccomp 10").args, fds: map[int]string{10: "seccomp:"}}, words("")},
		{"fd 10", line{fds: map[int]string{10: "null"}}, line{}},
		{"fd 10", line{fds: map[int]string{10: "file:@T/src/file"}}, line{fds: map[int]string{10: "rw:@T/src/file"}}},
		{"signals ignored", line{ignore: []int{10}}, line{}},
		{"signals blocked", line{block: []int{10}}, line{}},
		{"limit 04", line{core: new(uint64)}, line{core: ptr(uint64(4096))}},
		{"host /src/new", words("--bind @T/src /x --dir /x/new"), words("--bind @T/src /x")},
		{"mount /x", words("--tmpfs /x"), words("--size 65536 --tmpfs /x")},
		{"mount /x #2", words("--tmpfs /x --tmpfs /x"), words("--tmpfs /x")},
		{"tree /dev/null", words("--dev /dev"), words("--dir /dev --bind /dev/null /dev/null")},
		{"mount /p", words("--unshare-pid --proc /p"), words("--proc /p")},
		{"tree /p", words("--unshare-pid --proc /p"), words("--unshare-pid --proc /p --tmpfs /p/irq")},
		{"written to 11", line{args: words("--info-fd 11").args, fds: map[int]string{11: "out"}}, line{args: words("--unshare-ipc --info-fd 11").args, fds: map[int]string{11: "out"}}},
		{"argv", words("--argv0 other"), words("")},
		{"stdout", words("--help"), words("")},
	})
}

func TestMkosiNotices(t *testing.T) {
	t.Parallel()
	mkosiSelf(t).notices(t, []mutation{
		{"mount /x", words("--bind @T/src /x"), words("--ro-bind @T/src /x")},
		{"mount /x/file", words("--bind @T/src /x --ro-bind @T/src/file /x/file"), words("--bind @T/src /x --bind @T/src/file /x/file")},
		{"tree /x", words("--dir /x/tmp"), words("--dir /x/y")},
		{"tree /x", words("--symlink a /x"), words("--symlink b /x")},
		{"tree /x", words("--write a /x"), words("--write b /x")},
		{"mount /x", words("--tmpfs /x"), words("--dir /x")},
		{"environment", words("--setenv A b"), words("")},
		{"uid_map", line{args: words("--become-root").args, drop: []int{21}}, words("")},
		{"namespace net", words("--unshare-net"), words("")},
		{"namespace ipc", words("--unshare-ipc"), words("")},
		{"exit", line{exit: 3}, line{exit: 4}},
		{"exit", line{exit: 3}, line{signal: 15}},
		{"exit", line{command: []string{"/nothing"}}, line{}},
		{"fd ", line{fds: map[int]string{10: "null"}, args: split("--pack-fds --bind /proc /proc")}, line{fds: map[int]string{10: "null"}}},
		{"environment", line{fds: map[int]string{10: "null"}, args: split("--pack-fds --bind /proc /proc")}, line{fds: map[int]string{10: "null"}}},
		{"call fsync", words("--become-root --suppress-chown"), words("--become-root --suppress-sync")},
		{"cwd", words("--chdir /"), words("--dir /y --chdir /y")},
		{"host /src/new", words("--bind @T/src /x --dir /x/new"), words("--bind @T/src /x")},
	})
}

func ptr[T any](v T) *T { return &v }
