//go:build linux

package argvtest

import (
	"testing"
)

func TestBwrap(t *testing.T) {
	t.Parallel()
	bwrapPair(t).table(t, bwrapLines())
}

// bwrapLines are lines for every option of bubblewrap, and for what its users meet.
func bwrapLines() []line {
	list := plain(bwrapPlain)
	info := func(args string) line { return with(args, map[int]string{11: "out", 12: "out"}) }
	list = append(list,
		line{name: "nothing"},
		line{name: "exit code", exit: 7},
		line{name: "exit code, pid namespace", exit: 7, args: split("--unshare-pid")},
		line{name: "exit code, as pid 1", exit: 7, args: split("--unshare-pid --as-pid-1")},
		line{name: "SIGTERM", signal: 15},
		line{name: "SIGKILL", signal: 9},
		line{name: "SIGSEGV", signal: 11},
		line{name: "SIGTERM, pid namespace", signal: 15, args: split("--unshare-pid")},
		line{name: "SIGTERM, as pid 1", signal: 15, args: split("--unshare-pid --as-pid-1")},
		line{name: "SIGKILL, pid namespace", signal: 9, args: split("--unshare-pid")},
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
		line{name: "no command", command: []string{}},
		line{name: "no command after --", command: []string{"--"}},
		line{name: "after --", command: []string{"--", "/observe", "{}", "--unshare-pid"}},
		line{name: "nothing at all", command: []string{}, bare: true},
		line{name: "--help", args: split("--help")},
		line{name: "--version", args: split("--version")},
		line{name: "--version alone", args: split("--version"), bare: true, command: []string{}},

		// The caller's state.
		line{name: "no descriptor of /proc", noProc: true, args: split("--unshare-pid --proc /proc --dev /dev")},
		line{name: "umask", umask: 0o77, args: split("--dir /x --tmpfs /y --bind @T/src /z/z --bind @T/src/file /f --symlink a /l --perms 0664 --dir /p/q")},
		line{name: "umask 0", umask: 0o777, args: split("--dir /x/y --bind @T/src /z/z --dev /dev")},
		line{name: "ignored signals", ignore: []int{1, 10, 12, 13}},
		line{name: "ignored signals, pid namespace", ignore: []int{1, 10, 12, 13}, args: split("--unshare-pid")},
		line{name: "blocked signals", block: []int{10, 15, 17, 34, 64}},
		line{name: "blocked signals, pid namespace", block: []int{10, 15, 17}, args: split("--unshare-all")},
		line{name: "core limit", core: new(uint64)},
		line{name: "cwd in the sandbox", dir: "@T/src/dir", args: split("--bind @T @T")},
		line{name: "cwd not in the sandbox", dir: "@T/src/dir", args: split("--dir /home")},
		line{name: "cwd not in the sandbox, HOME is", dir: "@T/src/dir", args: split("--setenv HOME /home --dir /home")},
		line{name: "cwd /", dir: "/"},
		line{name: "cwd by a link", dir: "@T/src/abs", args: split("--bind @T @T")},
		line{name: "cwd by a link, and PWD", dir: "@T/src/abs", env: []string{"PWD=@T/src/abs"}, args: split("--bind @T @T")},
		line{name: "PWD by a link that is not there", dir: "@T/src/abs", env: []string{"PWD=@T/src/abs"}, args: split("--bind @T/src/dir @T/src/dir")},
		line{name: "PWD by a link outside of /tmp", dir: "/bin", env: []string{"PWD=/bin"}, args: split("--ro-bind-try /usr /usr --ro-bind-try /bin /bin")},
		line{name: "PWD is not true", dir: "@T/src/dir", env: []string{"PWD=@T/src"}, args: split("--bind @T @T")},
		line{name: "relative source", dir: "@T/cwd", args: split("--bind rel /x --ro-bind ./rel/r /y --bind ../src /z")},
		line{name: "relative destination", dir: "@T/cwd", args: split("--bind rel x --tmpfs a/b --dir c --symlink a d --proc p")},
		line{name: "--chdir relative", dir: "@T/src", args: split("--bind @T @T --chdir dir")},
		line{name: "PWD in the environment", env: []string{"PWD=/nonsense", "OLDPWD=/x"}, args: split("--unsetenv PWD")},
		line{name: "odd environment", env: []string{"novalue", "=empty", "A=1", "A=2", "B==x"}},
		line{name: "odd environment, changed", env: []string{"novalue", "A=1", "A=2", "B==x"}, args: split("--unsetenv A --setenv B y")},
		line{name: "odd environment, cleared", env: []string{"novalue", "A=1"}, args: split("--clearenv --setenv A 3")},
		line{name: "terminal", tty: true, args: split("--dev /dev")},
		line{name: "terminal, new session", tty: true, args: split("--dev /dev --new-session --unshare-pid --proc /proc")},
		line{name: "observer last", last: true, args: split("--ro-bind @T/root /")},
		line{name: "read-only root", last: true, args: split("--ro-bind @T/root / --tmpfs /tmp --dev /dev --proc /proc")},
		line{name: "writable root", last: true, args: split("--bind @T/root / --tmpfs /tmp --dev /dev --proc /proc --dir /new/dir --symlink a /new/link")},
		line{name: "host's root", last: true, args: split("--bind / / --dev /dev --proc /proc --tmpfs /tmp")},
		line{name: "host's root, read-only", args: split("--unshare-all --ro-bind / / --tmpfs @T/src/empty --bind @T/src/dir @T/src/dir --ro-bind /dev/null @T/src/file --dev /dev"), last: true, bare: true, command: []string{"@T/../../observer", "@C"}},
		line{name: "mounts in the source", root: true, args: split("--bind @T /x --ro-bind @T /y --dev-bind @T /z"), mounts: someMounts, dirs: []string{"@T/mnt/rw/d"}},
		line{name: "mounts in the source, remounted", root: true, args: split("--bind @T /x --remount-ro /x --remount-ro /x/mnt"), mounts: someMounts},
		line{name: "fewer capabilities", drop: []int{0, 27}, args: split("--dev /dev --bind @T/src /x")},
		line{name: "fewer capabilities, added", drop: []int{0, 27}, args: split("--cap-add CAP_CHOWN --cap-add CAP_MKNOD --unshare-user")},
		line{name: "in a user namespace", root: true, userns: true, args: split("--dev /dev --unshare-net --unshare-ipc --bind @T/src /x")},
		line{name: "in a user namespace, all capabilities", root: true, userns: true, args: split("--uid 0 --gid 0 --cap-add ALL --unshare-net")},
		line{name: "in a user namespace, all capabilities but one", root: true, userns: true, args: split("--cap-add ALL --cap-drop CAP_KILL")},
		line{name: "no CAP_SYS_ADMIN", drop: []int{21}, args: split("--unshare-user --dev /dev")},

		// Descriptors.
		with("", map[int]string{10: "null", 11: "file:@T/src/file", 12: "dir:@T/src", 13: "path:@T/src/dir", 14: "data:x", 15: "rw:@T/src/file"}),
		with("--unshare-all", map[int]string{10: "null", 11: "file:@T/src/file", 20: "null"}),
		with("--file 10 /x --perms 0600 --file 11 /y/z", map[int]string{10: "data:hello", 11: "file:@T/src/file"}),
		with("--perms 0000 --file 10 /a/b/c --perms 7777 --file 11 /d", map[int]string{10: "data:", 11: "data:1"}),
		with("--file 10 /x --file 11 /x", map[int]string{10: "data:first", 11: "data:2"}),
		with("--bind @T/src /x --file 10 /x/file --file 11 /x/new", map[int]string{10: "data:changed", 11: "data:new"}),
		with("--bind-data 10 /x --ro-bind-data 11 /y/z --perms 0644 --bind-data 12 /w", map[int]string{10: "data:1", 11: "data:22", 12: "data:333"}),
		with("--ro-bind @T/src /x --ro-bind-data 10 /x/file", map[int]string{10: "data:over"}),
		with("--ro-bind @T/src /x --ro-bind-data 10 /x/new", map[int]string{10: "data:over"}),
		with("--bind-fd 10 /x --ro-bind-fd 11 /y", map[int]string{10: "path:@T/src", 11: "dir:@T/src/dir"}),
		with("--bind-fd 10 /x --ro-bind-fd 11 /y", map[int]string{10: "path:@T/src/file", 11: "file:@T/src/secret"}),
		with("--bind-fd 10 /x", map[int]string{}),
		with("--file 10 /x", map[int]string{}),
		with("--file 10 /x --file 10 /y", map[int]string{10: "data:a"}),
		with("--file x /x", nil), with("--file -1 /x", nil), with("--file '' /x", nil), with("--bind-data 10x /x", nil),
		with("--args 10", map[int]string{10: "args:--dir /x --setenv A b --ro-bind @T/src /y"}),
		with("--args 10 --dir /z", map[int]string{10: "args:--dir /x --perms 0700"}),
		with("--args 10", map[int]string{10: "args:--dir /x /observe"}),
		with("--args 10", map[int]string{10: "args:--dir /x -- --nonsense"}),
		with("--args 10", map[int]string{10: "args:--args 11", 11: "args:--dir /x"}),
		with("--args 10 --args 11", map[int]string{10: "args:--dir /a", 11: "args:--dir /b"}),
		with("--args 10", map[int]string{10: "args:"}), with("--args 10", nil), with("--args", nil), with("--args x", nil),
		with("--seccomp 10", map[int]string{10: "seccomp:"}),
		with("--add-seccomp-fd 10 --add-seccomp-fd 11", map[int]string{10: "seccomp:", 11: "seccomp:"}),
		with("--unshare-pid --add-seccomp-fd 10", map[int]string{10: "seccomp:"}),
		with("--seccomp 10 --seccomp 11", map[int]string{10: "seccomp:", 11: "seccomp:"}),
		with("--seccomp 10 --add-seccomp-fd 11", map[int]string{10: "seccomp:", 11: "seccomp:"}),
		with("--add-seccomp-fd 10 --seccomp 11", map[int]string{10: "seccomp:", 11: "seccomp:"}),
		with("--seccomp 10", map[int]string{10: "data:odd"}), with("--seccomp 10", map[int]string{10: "data:"}),
		with("--seccomp 10", map[int]string{10: "data:notavalidprogram"}), with("--seccomp 10", nil),
		with("--add-seccomp-fd 10", map[int]string{10: "data:odd"}),
		with("--block-fd 10", map[int]string{10: "data:x"}), with("--block-fd 10", map[int]string{10: "data:"}), with("--block-fd 10", nil),
		with("--sync-fd 10", map[int]string{10: "out"}),
		with("--sync-fd 10 --unshare-pid", map[int]string{10: "out"}),
		with("--sync-fd 10 --unshare-pid --as-pid-1", map[int]string{10: "out"}),
		with("--sync-fd 10 --sync-fd 12", map[int]string{10: "out", 12: "out"}),
		with("--userns-block-fd 10 --info-fd 11 --unshare-user", map[int]string{10: "data:x", 11: "out"}),
		with("--userns-block-fd 10 --unshare-user", map[int]string{10: "data:x"}),
		with("--userns-block-fd 10 --info-fd 11", map[int]string{10: "data:x", 11: "out"}),
		with("--userns 10", map[int]string{10: "userns:"}),
		with("--userns 10 --dev /dev --unshare-pid --proc /proc --unshare-net", map[int]string{10: "userns:"}),
		with("--userns 10 --unshare-user", map[int]string{10: "userns:"}),
		with("--userns 10 --unshare-all", map[int]string{10: "userns:"}),
		with("--userns 10 --userns2 11", map[int]string{10: "userns:", 11: "userns:"}),
		with("--userns 10 --pidns 11 --proc /proc", map[int]string{10: "userns:", 11: "pidns:"}),
		with("--userns 10 --pidns 11 --unshare-pid --proc /proc", map[int]string{10: "userns:", 11: "pidns:"}),
		with("--userns 10", map[int]string{10: "null"}), with("--pidns 10", map[int]string{10: "null"}), with("--userns 10", nil),
		info("--info-fd 11"), info("--json-status-fd 11"), info("--info-fd 11 --json-status-fd 12 --unshare-all"),
		info("--info-fd 11 --unshare-pid --unshare-ipc"), info("--json-status-fd 11 --unshare-pid --as-pid-1"),
		info("--json-status-fd 11 --unshare-net --unshare-uts"), info("--json-status-fd 11 --info-fd 12 --bind /nowhere /x"),
		line{name: "status of an exit code", args: split("--json-status-fd 11"), exit: 9, fds: map[int]string{11: "out"}},
		line{name: "status of an exit code, pid namespace", args: split("--json-status-fd 11 --unshare-pid"), exit: 9, fds: map[int]string{11: "out"}},
		line{name: "status of a signal", args: split("--json-status-fd 11"), signal: 9, fds: map[int]string{11: "out"}},
		line{name: "status of a signal, pid namespace", args: split("--json-status-fd 11 --unshare-pid"), signal: 9, fds: map[int]string{11: "out"}},
		line{name: "status of no command", args: split("--json-status-fd 11"), command: []string{"/nothing"}, fds: map[int]string{11: "out"}},
		line{name: "status of no command, pid namespace", args: split("--json-status-fd 11 --unshare-pid"), command: []string{"/nothing"}, fds: map[int]string{11: "out"}},
		line{name: "cwd by /proc", dir: "@T/src/dir", args: split("--bind /proc/self/cwd /x --ro-bind /proc/thread-self/cwd/sub /y --overlay-src /proc/self/cwd --ro-overlay /z")},
		with("--ro-bind /proc/self/fd/10 /x --bind /dev/fd/11 /y --ro-bind /proc/self/fd/11/sub /z --ro-bind /proc/self/fd/12 /w", map[int]string{10: "file:@T/src/file", 11: "dir:@T/src/dir", 12: "path:@T/src/dir"}),
		with("--ro-bind-try /dev/fd/10 /x --ro-bind-try /dev/fd/11 /y --ro-bind /dev/stdin /z --ro-bind /proc/self/root@T/src /w", map[int]string{10: "data:x"}),
		with("--ro-bind /dev/fd/10 /x", map[int]string{10: "data:x"}), with("--ro-bind /dev/fd/10 /x", nil), with("--ro-bind /proc/self/ns/net /x", nil),
		line{name: "blanks", args: []string{"--bind", "@T/src/sp ace", "/x y", "--setenv", "A B", "c\nd", "--symlink", "a b", "/l m", "--dir", "/comma,colon:back\\slash"}},
		line{name: "odd names", args: []string{"--bind", "@T/src/comma,colon:back\\slash", "/x,y:z\\w", "--tmpfs", "/t\\040x", "--overlay-src", "@T/src/comma,colon:back\\slash", "--tmp-overlay", "/o,p:q\\r"}},
	)
	return list
}

// someMounts are mounts that root has below @T/mnt.
var someMounts = []mount{
	{"argvtest", "@T/mnt", "tmpfs", 0, "mode=0755"},
	{"argvtest", "@T/src/mnt", "tmpfs", 2 | 4 | 8, "mode=0755"}, // nosuid, nodev, noexec
	{"@T/src/dir", "@T/src/empty", "", 4096, ""},                // bind
	{"", "@T/src/empty", "", 4096 | 32 | 1, ""},                 // remount, ro
}

const bwrapPlain = `
--symlink a/b /m/n --dir /m/n
--symlink a/b /m/n --symlink n /m/o --dir /m/o
--symlink a/b /m/n --dir /m/n/o
--bind @T/src /x
--ro-bind @T/src /x
--dev-bind @T/src /x
--bind-try @T/src /x --ro-bind-try @T/src /y --dev-bind-try @T/src /z
--bind-try @T/nothing /x --ro-bind-try @T/nothing /y --dev-bind-try @T/nothing /z
--bind @T/nothing /x
--ro-bind @T/nothing /x
--dev-bind @T/nothing /x
--bind-try @T/src/closed/x /x
--bind-try @T/src/file/x /x
--bind @T/src/loop /x
--bind-try @T/src/loop /x
--bind-try @T/src/dangling /x
--bind @T/src/dangling-abs /x
--bind @T/src/file /x
--bind @T/src/file /x/y/z
--bind @T/src/file /
--bind @T/src/fifo /x --ro-bind @T/src/sock /y
--bind @T/src/secret /x --bind @T/src/closed-file /y --bind @T/src/closed /z
--bind @T/src/abs /x --ro-bind @T/src/rel-file /y --bind @T/src/chain/a /z
--bind @T/src/up /x
--bind @T/src/set-uid /x --dev-bind @T/src/set-uid /y
--bind @T/src /x --bind @T/src/file /x/file
--bind @T/src /x --bind @T/src/dir /x/empty
--bind @T/src /x --bind @T/src/dir /x/new
--bind @T/src /x --bind @T/src/file /x/new/er
--bind @T/src /x --bind @T/src/dir /x/file
--bind @T/src /x --bind @T/src/file /x/dir
--bind @T/src /x --bind @T/src/file /x/rel-file
--bind @T/src /x --bind @T/src/dir /x/rel
--bind @T/src /x --bind @T/src/dir /x/rel/sub
--bind @T/src /x --tmpfs /x/rel/sub/deep
--bind @T/src /x --dir /x/rel
--bind @T/src /x --dir /x/loop
--bind @T/src /x --dir /x/file
--bind @T/src /x --dir /x/closed/y
--ro-bind @T/src /x --dir /x/new
--ro-bind @T/src /x --dir /x/dir
--ro-bind @T/src /x --tmpfs /x/new
--ro-bind @T/src /x --tmpfs /x/dir
--ro-bind @T/src /x --bind @T/low1 /x/dir
--ro-bind @T/src /x --bind @T/low1/f /x/file
--ro-bind @T/src /x --bind @T/low1/f /x/new
--ro-bind @T/src /x --symlink a /x/new
--tmpfs /x --ro-bind @T/src /x --bind @T/low1 /x/empty --ro-bind @T/low2 /x/empty
--ro-bind @T/root / --bind @T/low1 /a/b --tmpfs /tmp --proc /proc --dev /dev
--ro-bind @T/root / --bind @T/low1 /observe/x
--bind @T/low1 /x --bind @T/low2 /x
--bind @T/low1 /x/y/z --tmpfs /x --bind @T/low2 /x/y
--bind @T/low1 /x/. --bind @T/low2 //y//z/ --bind @T/low1/ /w/../v
--bind @T/low1 /../../x --dir /../y
--bind @T/low1 ''
--bind '' /x
--dev-bind /dev /dev
--bind /dev /dev
--dev-bind /dev/null /x --bind /dev/null /y --ro-bind /dev/zero /z
--dev-bind / /host
--bind / /host
--ro-bind / /host
--ro-bind /proc /proc
--ro-bind /sys /sys
--bind /proc /proc --proc /proc
--remount-ro /
--bind @T/src /x --remount-ro /x
--bind @T/src /x --remount-ro /x/dir
--bind @T/src /x --tmpfs /x/dir --remount-ro /x
--tmpfs /x --dir /x/y --remount-ro /x
--dir /x --remount-ro /x
--remount-ro /nothing
--dev /dev --remount-ro /dev
--proc /proc --remount-ro /proc
--proc /proc
--unshare-pid --proc /proc
--unshare-pid --proc /proc --proc /p2
--ro-bind /proc /proc --unshare-pid --proc /x/y
--unshare-pid --proc /proc --unshare-net --unshare-ipc
--dev /dev
--dev /dev --dev /dev
--dev /x/dev
--dev /dev --bind /dev/null /dev/kmsg
--dev /dev --dev-bind-try /dev/fuse /dev/fuse --symlink /proc/kcore /dev/core
--dev /dev --symlink a /dev/null
--dev /dev --tmpfs /dev/shm --perms 1777 --dir /dev/x --mqueue /dev/mqueue
--unshare-user --dev /dev --proc /proc
--unshare-all --dev /dev --proc /proc
--unshare-all --share-net --dev /dev --proc /proc
--tmpfs /x
--tmpfs /x/tmp --tmpfs /tmp
--tmpfs /
--perms 1777 --tmpfs /x
--perms 0000 --tmpfs /x
--size 65536 --tmpfs /x
--size 1 --tmpfs /x
--size 0x10000 --tmpfs /x
--size 010000 --tmpfs /x
--size 65536 --perms 0700 --tmpfs /x
--perms 0700 --size 65536 --tmpfs /x
--size 0 --tmpfs /x
--size -5 --tmpfs /x
--size 1k --tmpfs /x
--size 9223372036854775807 --tmpfs /x
--size 9223372036854775808 --tmpfs /x
--size 99999999999999999999999 --tmpfs /x
--size %5 --tmpfs /x
--size 5 --size 5 --tmpfs /x
--size 65536 --dir /x
--perms 0700 --perms 0700 --dir /x
--perms 0700 --bind @T/src /x
--perms 8 --dir /x
--perms 10000 --dir /x
--perms '' --dir /x
--perms -1 --dir /x
--perms 0x7 --dir /x
--perms +7 --dir /x
--perms %7 --dir /x
--perms 0700
--size 65536
--perms 4755 --dir /x
--perms 2750 --dir /x/y/z
--perms 0007 --dir /x/y/z --perms 0070 --dir /w/y/z
--dir /x --perms 0700 --dir /x
--dir /x/y/../z
--dir /y/d --dir /x/../y --ro-bind @T/low1/f /x/rel
--dir /x/.. --dir /x/z
--symlink f /y/l --symlink f /x/w/../../y/l --dir /x/z
--dir /y --dir /x/../y/../x/v/../../y --tmpfs /x/v
--dir /
--dir ''
--mqueue /x
--unshare-ipc --mqueue /dev/mqueue
--unshare-all --mqueue /x --remount-ro /x
--symlink a /x
--symlink a /x --symlink a /x
--symlink . /m --tmpfs /m --dir /z
--symlink a /x --symlink b /x
--dir /x --symlink a /x
--symlink /y /x --dir /y --dir /x/z
--symlink /y /x --dir /x/z
--symlink y /x --dir /x
--symlink ../.. /a/b/x --dir /a/b/x/c
--symlink / /x --bind @T/low1 /x/y
--symlink /y /x --bind @T/low1 /x
--symlink /y /x --dir /y --bind @T/low1 /x
--symlink /y /x --bind @T/low1/f /x
--symlink /y /x --tmpfs /x
--symlink '' /x
--symlink a /x/y/z
--symlink a ''
--symlink /oldroot/etc /x --bind @T/low1 /x/y
--ro-bind @T/root /r --symlink usr/bin /r/bin
--bind @T/root /r --symlink usr/bin /r/bin --symlink new /r/newlink
--bind @T/root /r --symlink other /r/bin
--bind @T/root / --bind @T/low1 /work
--bind @T/root / --bind @T/low1/f /etc/resolv.conf
--bind @T/root / --tmpfs /run --bind @T/low1/f /etc/resolv.conf
--ro-bind @T/root / --tmpfs /run --bind @T/low1/f /etc/resolv.conf
--ro-bind @T/root / --bind @T/low1/f /etc/localtime
--ro-bind @T/root / --bind @T/low1/f /etc/hosts --tmpfs /var/run/x
--ro-bind @T/root / --tmpfs /loop
--ro-bind @T/root / --tmpfs /bin/tool
--chmod 0700 /
--dir /x --chmod 0700 /x
--dir /x --chmod 4777 /x --chmod 0 /x
--bind @T/src /x --chmod 0600 /x/file
--bind @T/src /x --chmod 0600 /x/rel-file
--ro-bind @T/src /x --chmod 0600 /x/file
--chmod 0700 /nothing
--chmod 10000 /
--chmod x /
--chmod '' /
--symlink /y /x --dir /y --chmod 0700 /x
--unshare-user
--unshare-user-try
--unshare-user --uid 0 --gid 0
--unshare-user --uid 1000 --gid 100
--unshare-user --uid 65534 --gid 65534 --bind @T/src /x
--unshare-user --uid 0 --dev /dev
--unshare-user --uid 1000 --gid 100 --dev /dev --proc /proc --unshare-pid
--uid 1000
--gid 1000
--uid 0 --gid 0
--unshare-user --uid -1
--unshare-user --uid x
--unshare-user --uid ''
--unshare-user --uid 1 --uid 2 --gid 3 --gid 4
--unshare-user --uid 4294967294
--unshare-user --uid 4294967295
--unshare-user --uid 99999999999
--unshare-user --uid %12
--unshare-ipc
--unshare-pid
--unshare-net
--unshare-uts
--unshare-cgroup
--unshare-cgroup-try
--unshare-all
--unshare-all --share-net
--share-net
--share-net --unshare-net
--unshare-net --share-net
--unshare-pid --as-pid-1
--unshare-all --as-pid-1 --proc /proc --dev /dev
--as-pid-1
--unshare-uts --hostname box
--unshare-uts --hostname a --hostname b
--unshare-uts --hostname ''
--unshare-uts --hostname 0123456789012345678901234567890123456789012345678901234567890123
--unshare-uts --hostname 01234567890123456789012345678901234567890123456789012345678901234
--hostname box
--unshare-all --hostname box --uid 7 --gid 8
--disable-userns
--unshare-user --disable-userns
--unshare-user --disable-userns --dev /dev --uid 5
--unshare-all --disable-userns
--assert-userns-disabled
--unshare-user --disable-userns --assert-userns-disabled
--chdir /
--dir /x --chdir /x
--chdir /nothing
--dir /x --chdir x
--dir /x --dir /y --chdir /x --chdir /y
--symlink /y /x --dir /y --chdir /x
--chdir ''
--bind @T/src/closed /x --chdir /x
--clearenv
--clearenv --setenv A b
--setenv A b --clearenv
--setenv A b --setenv A c --unsetenv FOO --unsetenv NOTHING
--setenv '' b
--setenv A=B c
--unsetenv ''
--unsetenv A=B
--setenv A '' --setenv PWD /x --unsetenv HOME
--setenv A b --unsetenv A --setenv A c
--argv0 name
--argv0 ''
--argv0 a --argv0 b
--level-prefix
--level-prefix --no-such-option
--lock-file /observe
--bind @T/lock /lock --lock-file /lock
--bind @T/lock /lock --lock-file /lock --unshare-pid
--lock-file /nothing
--bind @T/src/closed-file /x --lock-file /x
--lock-file /observe --unshare-pid --as-pid-1
--dir /x --lock-file /x
--new-session
--new-session --unshare-pid
--die-with-parent
--die-with-parent --unshare-pid
--die-with-parent --unshare-pid --as-pid-1 --new-session
--cap-add ALL
--cap-add 0x15 --cap-add 07 --unshare-user
--cap-add 50 --cap-drop 12 --unshare-user
--cap-drop ALL
--cap-add CAP_CHOWN
--cap-add cap_chown --cap-add cap_sys_admin
--cap-add chown
--cap-add all
--cap-add CAP_NOTHING
--cap-add ''
--cap-add 3
--cap-add CAP_CHOWN --cap-drop CAP_CHOWN
--cap-drop CAP_CHOWN
--cap-drop ALL --cap-add CAP_NET_RAW
--unshare-user --cap-add ALL
--unshare-user --cap-add ALL --uid 0
--unshare-user --cap-add ALL --dev /dev --unshare-pid --proc /proc
--unshare-user --cap-add CAP_SYS_ADMIN --cap-add CAP_CHECKPOINT_RESTORE --uid 5
--unshare-user --cap-drop ALL
--unshare-all --cap-drop ALL --cap-add CAP_NET_ADMIN
--exec-label x
--file-label x
--overlay-src @T/low1 --tmp-overlay /x
--overlay-src @T/low1 --overlay-src @T/low2 --tmp-overlay /x
--overlay-src @T/low1 --overlay-src @T/low2 --ro-overlay /x
--overlay-src @T/low1 --ro-overlay /x
--overlay-src @T/low1 --overlay @T/upper @T/work /x
--overlay-src @T/low1 --overlay-src @T/low2 --overlay @T/upper @T/work /x --dir /x/d/new
--overlay-src @T/low1 --overlay @T/upper @T/work /x --overlay-src @T/low2 --overlay @T/upper2 @T/work2 /y
--overlay-src @T/low1 --tmp-overlay /x --overlay-src @T/low2 --tmp-overlay /y --dir /x/new --dir /y/new
--overlay-src @T/low1 --tmp-overlay / --dir /new
--overlay-src @T/root --tmp-overlay / --dev /dev --proc /proc --bind @T/low1 /new/x --chmod 0700 /etc/hosts
--overlay-src @T/low1 --tmp-overlay /x --bind @T/low1/d /x/d --remount-ro /x
--overlay-src @T/low1 --overlay @T/upper @T/upper /x
--overlay-src @T/low1 --overlay @T/low1 @T/work /x
--overlay-src @T/low1 --overlay @T/nothing @T/work /x
--overlay-src @T/low1 --overlay @T/upper @T/nothing /x
--overlay-src @T/nothing --tmp-overlay /x
--overlay-src @T/low1/f --tmp-overlay /x
--overlay-src @T/low1 --dir /x
--overlay-src @T/low1
--tmp-overlay /x
--ro-overlay /x
--overlay @T/upper @T/work /x
--overlay-src @T/src/abs --overlay-src @T/src/empty --ro-overlay /x
--overlay-src @T/low1 --overlay-src @T/low1 --ro-overlay /x
--overlay-src /proc --tmp-overlay /x
--no-such-option
-x
-
--bind
--bind a
--ro-bind /x
--tmpfs
--symlink a
--setenv A
--cap-add
--uid
--perms
--chmod 0700
--file 10
--bind-data 10
--args
--hostname
--lock-file
--overlay-src
--seccomp
--info-fd
--exec-label
`
