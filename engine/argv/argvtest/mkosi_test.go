//go:build linux

package argvtest

import (
	"strings"
	"testing"
)

func TestMkosi(t *testing.T) {
	t.Parallel()
	mkosiPair(t).table(t, mkosiLines())
}

// mkosiLines are lines for every option of mkosi-sandbox, and for what its users meet.
func mkosiLines() []line {
	list := plain(mkosiPlain)
	list = append(list,
		line{name: "nothing"},
		line{name: "exit code", exit: 7},
		line{name: "SIGTERM", signal: 15},
		line{name: "SIGKILL", signal: 9},
		line{name: "SIGSEGV", signal: 11},
		line{name: "not found", command: []string{"/nothing"}},
		line{name: "not found in PATH", command: []string{"nothing"}},
		line{name: "found in PATH", command: []string{"observe", "{}"}, args: split("--setenv PATH /nowhere:/")},
		line{name: "PATH of the sandbox", command: []string{"observe", "{}"}, args: split("--setenv PATH /x --ro-bind @T/src/exec /x/observe")},
		line{name: "no PATH", command: []string{"observe", "{}"}, args: split("--unsetenv PATH")},
		line{name: "empty PATH", command: []string{"observe", "{}"}, args: split("--setenv PATH '' --chdir /")},
		line{name: "relative command", command: []string{"./observe", "{}"}, args: split("--chdir /")},
		line{name: "not executable", command: []string{"/x"}, args: split("--ro-bind @T/src/file /x")},
		line{name: "no interpreter", command: []string{"/x"}, args: split("--ro-bind @T/src/exec /x")},
		line{name: "a directory", command: []string{"/x"}, args: split("--dir /x")},
		line{name: "empty command", command: []string{""}},
		line{name: "no command", command: []string{}, args: split("--ro-bind @T/src/exec /usr/bin/bash")},
		line{name: "no command, no bash", command: []string{}},
		line{name: "no command after --", command: []string{"--"}},
		line{name: "after --", command: []string{"--", "/observe", "{}", "--become-root"}},
		line{name: "after -- --", command: []string{"--", "--", "/observe"}},
		line{name: "--help", args: split("--help")},
		line{name: "-h", args: split("-h")},
		line{name: "--version", args: split("--version")},
		line{name: "--debug", args: split("--debug --bind @T/src /x --tmpfs /tmp --dev /dev --symlink a /l --write x /w")},

		// The caller's state.
		line{name: "no descriptor of /proc", noProc: true, args: split("--bind /proc /proc --dev /dev")},
		line{name: "umask", umask: 0o77, args: split("--dir /x/y --tmpfs /t --bind @T/src /z/z --bind @T/src/file /f --symlink a /l --write b /p/q")},
		line{name: "umask 0777", umask: 0o777, args: split("--dir /x/y --bind @T/src /z/z --dev /dev --write a /w")},
		line{name: "ignored signals", ignore: []int{1, 10, 12}},
		line{name: "blocked signals", block: []int{10, 15, 17, 34, 64}},
		line{name: "core limit", core: new(uint64)},
		line{name: "cwd in the sandbox", dir: "@T/src/dir", args: split("--bind @T @T")},
		line{name: "--same-dir", dir: "@T/src/dir", args: split("--bind @T @T --same-dir")},
		line{name: "--same-dir, not there", dir: "@T/src/dir", args: split("--same-dir")},
		line{name: "--same-dir by a link", dir: "@T/src/abs", args: split("--bind @T @T --same-dir")},
		line{name: "relative words", dir: "@T/cwd", args: split("--bind rel x --ro-bind ./rel/r /y --bind ../src /z --tmpfs t --dir d/e --chdir d")},
		line{name: "relative inside", dir: "@T/cwd", args: split("--bind rel x --bind +x /y --write a f --symlink b l --overlay-lowerdir rel --overlay o")},
		line{name: "odd environment", env: []string{"novalue", "=empty", "A=1", "A=2", "B==x"}},
		line{name: "odd environment, changed", env: []string{"A=1", "A=2", "B==x", "PWD=/x"}, args: split("--unsetenv A --setenv B y")},
		line{name: "terminal", tty: true, args: split("--dev /dev")},
		line{name: "terminal, /dev below", tty: true, args: split("--dev /x/dev --become-root")},
		line{name: "read-only root", args: split("--ro-bind @T/root / --tmpfs /tmp --dev /dev --bind /proc /proc")},
		line{name: "writable root", args: split("--bind @T/root / --tmpfs /tmp --dev /dev --bind /proc /proc --dir /new/dir --symlink a /new/link --write x /new/file")},
		line{name: "host's root, read-only", args: split("--ro-bind / / --tmpfs @T/src/empty --bind @T/src/dir @T/src/dir --ro-bind /dev/null @T/src/file --dev /dev"), bare: true, command: []string{"@T/../../observer", "@C"}},
		line{name: "mounts in the source", root: true, args: split("--bind @T /x --ro-bind @T /y"), mounts: someMounts, dirs: []string{"@T/mnt/rw/d"}},
		line{name: "mounts in the source, inside", root: true, args: split("--bind @T /x --ro-bind +/x/mnt /y --ro-bind +/x /z"), mounts: someMounts},
		line{name: "fewer capabilities", drop: []int{0, 27}, args: split("--dev /dev --bind @T/src /x")},
		line{name: "fewer capabilities, root", drop: []int{0, 27}, args: split("--become-root --unshare-net")},
		line{name: "no CAP_SYS_ADMIN", drop: []int{21}, args: split("--become-root --dev /dev --unshare-net")},
		line{name: "no CAP_NET_ADMIN", drop: []int{12}, args: split("--unshare-net")},

		with("", map[int]string{10: "null", 11: "file:@T/src/file", 12: "dir:@T/src", 13: "path:@T/src/dir", 14: "data:x", 15: "rw:@T/src/file"}),
		with("--pack-fds", map[int]string{10: "null", 12: "file:@T/src/file", 20: "data:x"}),
		with("--pack-fds --unshare-ipc", map[int]string{4: "null", 5: "file:@T/src/file"}),
		line{name: "--pack-fds, none", noProc: true, args: split("--pack-fds --bind /proc /proc")},
		line{name: "--pack-fds, one", noProc: true, args: split("--pack-fds --bind /proc /proc"), fds: map[int]string{9: "null"}},
		line{name: "cwd by /proc", dir: "@T/src/dir", args: split("--bind /proc/self/cwd/sub /x")},
		with("--ro-bind /proc/self/fd/10 /x --bind /dev/fd/11 /y --ro-bind /proc/self/fd/12 /w", map[int]string{10: "file:@T/src/file", 11: "dir:@T/src/dir", 12: "path:@T/src/dir"}),
		with("--ro-bind-try /dev/fd/10 /x --ro-bind-try /dev/fd/11 /y --ro-bind /proc/self/root@T/src /w", map[int]string{10: "data:x"}),
		with("--ro-bind /dev/fd/10 /x", map[int]string{10: "data:x"}),
		line{name: "blanks", args: []string{"--bind", "@T/src/sp ace", "/x y", "--setenv", "A B", "c\nd", "--symlink", "a b", "/l m", "--write", "a\nb\t", "/w x"}},
		line{name: "odd names", args: []string{"--bind", "@T/src/comma,colon:back\\slash", "/x,y:z\\w", "--tmpfs", "/t\\040x", "--dir", "/\u00e4\u00f6"}},
		line{name: "much to write", args: []string{"--write", strings.Repeat("x", 1000), "/w", "--write", "", "/e", "--write", "\u00e4", "/u"}},
	)
	return list
}

const mkosiPlain = `
--bind @T/src /x
--ro-bind @T/src /x
--bind-try @T/src /x --ro-bind-try @T/src /y
--bind-try @T/nothing /x --ro-bind-try @T/nothing /y
--bind @T/nothing /x
--ro-bind @T/nothing /x
--bind-try @T/src/closed/x /x
--bind-try @T/src/file/x /x
--bind-try @T/src/loop /x
--bind-try @T/src/dangling /x
--bind @T/src/dangling-abs /x
--bind @T/src/file /x
--bind @T/src/file /x/y/z
--bind @T/src/file /
--bind @T/src/fifo /x
--ro-bind @T/src/sock /y
--bind @T/src/fifo /observe/x
--write a /x --bind @T/src/fifo /x
--bind @T/src/secret /x --bind @T/src/closed-file /y --bind @T/src/closed /z
--bind @T/src/abs /x --ro-bind @T/src/rel-file /y --bind @T/src/chain/a /z
--bind @T/src/up /x
--bind @T/src/set-uid /x
--bind-nofollow @T/src/abs /x --ro-bind-nofollow @T/src/rel-file /y
--bind-nofollow @T/src/dangling /x --ro-bind-nofollow @T/src/loop /y
--bind-nofollow @T/src/chain/sub /x --ro-bind-nofollow @T/src/file /y
--bind-nofollow @T/nothing /x
--symlink a /x --bind-nofollow @T/src/rel /x
--dir /x --bind-nofollow @T/src/rel /x
--bind @T/src /x --bind-nofollow @T/src/rel /x/abs
--bind @T/src /x --bind @T/src/file /x/file
--bind @T/src /x --bind @T/src/file /x/secret
--bind @T/src /x --bind @T/src/dir /x/empty
--bind @T/src /x --bind @T/src/dir /x/new
--bind @T/src /x --bind @T/src/file /x/new/er
--bind @T/src /x --bind @T/src/dir /x/file
--bind @T/src /x --bind @T/src/file /x/dir
--bind @T/src /x --bind @T/low1/f /x/rel-file
--bind @T/src /x --bind @T/low1/f /x/dangling
--bind @T/src /x --bind @T/low1 /x/rel
--bind @T/src /x --bind @T/low1 /x/rel/sub
--bind @T/src /x --tmpfs /x/rel/sub/deep
--bind @T/src /x --dir /x/rel
--bind @T/src /x --dir /x/loop
--bind @T/src /x --dir /x/file
--bind @T/src /x --dir /x/closed/y
--bind @T/src /x --dir /x/dangling
--bind @T/src /x --write new /x/file
--bind @T/src /x --write new /x/rel-file
--bind @T/src /x --write new /x/new/er
--bind @T/src /x --write new /x/dangling
--bind @T/src /x --write new /x/read-only
--ro-bind @T/src /x --write new /x/file
--ro-bind @T/src /x --dir /x/new
--ro-bind @T/src /x --dir /x/dir
--ro-bind @T/src /x --tmpfs /x/new
--ro-bind @T/src /x --tmpfs /x/dir
--ro-bind @T/src /x --bind @T/low1 /x/dir
--ro-bind @T/src /x --bind @T/low1/f /x/file
--ro-bind @T/src /x --bind @T/low1/f /x/new
--ro-bind @T/src /x --symlink a /x/new
--ro-bind @T/src /x --symlink a /x/file
--ro-bind @T/src /x --symlink dir /x/rel
--ro-bind @T/src /x --symlink other /x/rel
--bind @T/src /x --symlink a /x/new
--bind @T/src /x --symlink a /x/file
--bind @T/src /x --symlink a /x/dir
--bind @T/src /x --symlink a /x/new/er
--bind @T/src /x --ro-bind @T/src/dir /x/dir
--bind @T/src /x --bind @T/src/dir /x/dir
--ro-bind @T/src /x --ro-bind @T/src/dir/sub /x/dir/sub --ro-bind @T/src/file /x/file
--ro-bind @T/src /x --ro-bind-try @T/src/dir /x/dir
--bind @T/low1 /x --bind @T/low2 /x
--bind @T/low2 /x --bind @T/low1 /x
--bind @T/low1 /x --bind @T/low1 /x
--bind @T/low1 /x --ro-bind @T/low1 /x
--bind @T/low1 /x --tmpfs /x
--tmpfs /x --bind @T/low1 /x --dir /x/d
--bind @T/low1 /x/y/z --tmpfs /x --bind @T/low2 /x/y
--bind @T/low1 /a/b --bind @T/low2 /a-b --bind @T/src /a
--bind @T/low1 /x/. --bind @T/low2 //y//z/ --bind @T/low1/ /w/../v
--bind @T/low1 /../../x --dir /../y
--bind @T/low1 ''
--bind '' /x
--dir ''
--bind @T/src /x --bind +/x/dir /y
--bind @T/src /x --ro-bind +/x/dir /y --bind +/y/sub /z
--bind @T/src /x --bind +/x/abs /y
--bind @T/src /x --bind +/x/rel /y --bind-nofollow +/x/rel /z
--bind @T/src /x --bind-try +/x/nothing /y
--bind @T/src /x --bind +/x/nothing /y
--bind +/nothing /y
--bind-try +/nothing /y
--dir /a --write x /a/f --bind +/a /b --ro-bind +/a/f /c
--tmpfs /a --bind +/a /b
--symlink /b /a --dir /b/c --bind +/a /x
--bind + /x
--bind +/ /x
--bind ++/x /y
--bind +x /y
--bind @T/root / --bind @T/low1 /work
--bind @T/root / --bind @T/low1/f /etc/resolv.conf
--bind @T/root / --tmpfs /run --bind @T/low1/f /etc/resolv.conf
--bind @T/root / --tmpfs /run --bind @T/low1/f /run/resolv.conf
--ro-bind @T/root / --tmpfs /run --bind @T/low1/f /etc/resolv.conf
--ro-bind @T/root / --bind @T/low1/f /etc/localtime
--ro-bind @T/root / --bind @T/low1/f /etc/hosts --tmpfs /var/run/x
--ro-bind @T/root / --tmpfs /var/lock
--ro-bind @T/root / --tmpfs /loop
--ro-bind @T/root / --tmpfs /bin/tool
--ro-bind @T/root / --symlink usr/bin /bin --symlink ../run /var/run
--bind @T/root / --write x /etc/resolv.conf
--tmpfs /x
--tmpfs /x/tmp --tmpfs /tmp --tmpfs /var/tmp --tmpfs /xtmp
--tmpfs /
--dir /x/tmp --dir /tmp --dir /var/tmp --dir /mytmp
--dir /x/y/z
--dir /
--dir /x --dir /x
--dir /x/y --dir /x
--dir /x --tmpfs /x --dir /x/y
--dev /dev
--dev /dev --dev /dev
--dev /x/dev --dir /x/dev/y
--dev /dev --bind /dev/null /dev/kmsg
--dev /dev --tmpfs /dev/shm --symlink a /dev/x
--dev /dev --bind /proc /proc --become-root
--bind /dev /dev
--ro-bind /dev /dev
--bind /proc /proc
--ro-bind /proc /proc --ro-bind /sys /sys
--bind / /host
--ro-bind / /host
--symlink a /x
--symlink a /x --symlink a /x
--symlink a /x --symlink b /x
--symlink . /m --bind @T/low1 /m --dir /z
--symlink /x/f /x --bind-try +/x/n /l
--write text /x --bind-try +/x/n /l
--unsetenv A=B --unsetenv ''
--symlink '' /x
--symlink a /x/y/z
--symlink a ''
--symlink /y /x --dir /y --dir /x/z
--symlink /y /x --dir /x/z
--symlink y /x --dir /x
--symlink ../.. /a/b/x --dir /a/b/x/c
--dir /a/b --symlink ../.. /a/b/x --dir /a/b/x/c
--symlink / /x --bind @T/low1 /x/y
--symlink /y /x --bind @T/low1 /x
--symlink /y /x --dir /y --bind @T/low1 /x
--symlink /y /x --bind @T/low1/f /x
--symlink /y /x --tmpfs /x
--symlink /oldroot/etc /x --bind @T/low1 /x/y
--symlink /y /x --write a /x
--dir /x --symlink a /x
--write a /x --symlink b /x
--write a /x
--write a /x --write b /x
--write a /x/y/z
--write '' /x
--write a /
--write a /observe
--dir /x --write a /x
--become-root
--become-root --bind @T/src /x
--become-root --dev /dev
--become-root --suppress-chown
--become-root --suppress-chown --suppress-sync
--suppress-chown
--suppress-sync
--unshare-net
--unshare-ipc
--unshare-net --unshare-ipc --become-root
--become-root --unshare-net --suppress-sync --dev /dev --bind /proc /proc --tmpfs /tmp
--map-foreign
--map-delegate 1
--map-delegate 0
--map-delegate x
--map-delegate
--bind-foreign @T/src /x
--ro-bind-foreign @T/src /x
--setenv A b
--setenv A b --setenv A c
--setenv A b --unsetenv A
--unsetenv A --setenv A b
--unsetenv FOO --unsetenv NOTHING
--setenv '' b
--setenv A=B c
--setenv A ''
--setenv PWD /x --unsetenv HOME
--unsetenv ''
--chdir /
--dir /x --chdir /x
--chdir /nothing
--dir /x --dir /y --chdir /x --chdir /y
--symlink /y /x --dir /y --chdir /x
--chdir /x --same-dir --dir /x --bind @T/cwd @T/cwd
--same-dir --chdir /
--chdir ''
--bind @T/src/closed /x --chdir /x
--overlay-lowerdir @T/low1 --overlay /x
--overlay-lowerdir @T/low1 --overlay-lowerdir @T/low2 --overlay /x
--overlay-lowerdir @T/low1 --overlay-lowerdir @T/low2 --overlay-upperdir tmpfs --overlay /x
--overlay-lowerdir @T/low1 --overlay-upperdir tmpfs --overlay /x --write a /x/new --dir /x/d/new
--overlay-lowerdir @T/low1 --overlay-upperdir tmpfs --overlay /x/tmp
--overlay-lowerdir @T/low1 --overlay-upperdir @T/upper --overlay-workdir @T/work --overlay /x
--overlay-lowerdir @T/low1 --overlay-lowerdir @T/low2 --overlay-upperdir @T/upper --overlay-workdir @T/work --overlay /x --write a /x/new
--overlay-lowerdir @T/low1 --overlay-upperdir @T/upper --overlay /x
--overlay-lowerdir @T/low1 --overlay-workdir @T/work --overlay /x
--overlay-lowerdir @T/low1 --overlay-upperdir @T/upper --overlay-workdir @T/work --overlay /x --overlay-lowerdir @T/low2 --overlay /y
--overlay-lowerdir @T/nothing --overlay /x
--overlay-lowerdir @T/low1 --overlay-upperdir @T/nothing --overlay-workdir @T/work --overlay /x
--overlay-lowerdir @T/low1 --overlay-upperdir @T/upper --overlay-workdir @T/nothing --overlay /x
--overlay-lowerdir @T/low1/f --overlay /x
--overlay /x
--overlay-upperdir tmpfs --overlay /x
--overlay-lowerdir @T/low1
--overlay-lowerdir @T/src/abs --overlay-lowerdir @T/src/empty --overlay /x
--overlay-lowerdir @T/low1 --overlay-lowerdir @T/low1 --overlay /x
--overlay-lowerdir @T/root --overlay-upperdir tmpfs --overlay / --dev /dev --write x /etc/hosts
--overlay-lowerdir @T/root --overlay / --dev /dev --bind @T/low1 /a/b
--bind @T/low1 /x --overlay-lowerdir @T/low2 --overlay /x
--overlay-lowerdir @T/low2 --overlay /x --bind @T/low1 /x/d
--no-such-option
-x
-
--bind
--bind a
--tmpfs
--symlink a
--setenv A
--unsetenv
--write x
--chdir
--dev
--close-fd 3
`
