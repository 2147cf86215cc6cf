//go:build linux

package argvtest

// What the front ends do otherwise than the peers on purpose. Nothing else passes.

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// bwrapDeliberate is what cmd/bwrap does otherwise on purpose; its package comment
// gives the reasons.
var bwrapDeliberate = []deliberate{
	{"mounts have a root of their own, not one of the set-up; their mode and source are told otherwise", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "mount ") && safer(d)
	}},
	{"what fails has not made the same on the host", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "host ") && b.theirs[""] == "" && b.ours[""] == ""
	}},
	{"one user namespace where the original needs two for devpts", func(b *both, d difference) bool {
		if !b.has("--dev") {
			return false
		}
		inside := func(s string) string { id, _, _ := strings.Cut(s, " "); return id }
		switch {
		case strings.HasPrefix(d.key, "namespace owner "):
			return d.ours == "own" && (d.theirs == "EPERM" || d.theirs == "other")
		case d.key == "uid_map", d.key == "gid_map":
			return !strings.Contains(d.ours, ";") && inside(d.theirs) == inside(d.ours)
		case d.key == "call sethostname": // the uts namespace belongs to the first one
			return d.theirs == "EPERM" && d.ours == "EFAULT"
		}
		return strings.HasPrefix(d.key, "tree ") && strings.HasSuffix(d.key, "/pts") &&
			strings.HasPrefix(d.theirs, "dir 0755 ") && strings.HasPrefix(d.ours, "dir 0755 ") && strings.HasSuffix(d.ours, " r-x ok")
	}},
	{"symlinks mean what they mean in the sandbox, and there is nothing above its root", func(b *both, d difference) bool {
		return b.astray()
	}},
	{"mounts over mounts at the same place get a bind's flags, too", func(b *both, d difference) bool {
		point, ok := strings.CutPrefix(d.key, "mount ")
		flags := strings.NewReplacer(" ro,", " rw,", "nosuid,", "", "nodev,", "")
		return ok && stacked(point) && flags.Replace(d.theirs) == flags.Replace(d.ours) && len(d.ours) >= len(d.theirs)
	}},
	{"what the caller's own rights do not reach is a fault, where capabilities in a new namespace would", func(b *both, d difference) bool {
		return b.unreached()
	}},
	{"read-only overlays are mounted so", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "mount ") && strings.Replace(d.theirs, "overlay rw,", "overlay ro,", 1) == d.ours
	}},
	{"the root of an overlay with changes in memory has the mode of the topmost directory", func(b *both, d difference) bool {
		return b.has("--tmp-overlay") && modeOfOverlay(d)
	}},
	{"a lock that cannot be had is a fault before the command runs", func(b *both, d difference) bool {
		return b.has("--lock-file") && strings.Contains(b.theirs[noteKey], "Unable to open lock file")
	}},
	{"where the set-up fails, no child is told of", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "written ") && b.theirs[""] == "" && b.ours[""] == "" && d.ours == ""
	}},
	{"between the command in a joined pid namespace and this program is one more process", func(b *both, d difference) bool {
		return d.key == "process" && b.has("--pidns") && d.ours == "a descendant of what was started"
	}},
	{"of a name that is in the environment twice, the first counts", func(b *both, d difference) bool {
		return twice(b, d)
	}},
	{"a slash or a dot at the end of a destination does not matter", func(b *both, d difference) bool {
		return slices.ContainsFunc(b.args, func(s string) bool {
			return strings.HasPrefix(s, "/") && s != "/" && (strings.HasSuffix(s, "/") || strings.HasSuffix(s, "/.")) && (b.theirs[""] == "" || strings.HasPrefix(d.key, "host ") || strings.HasPrefix(d.key, "tree ") && path.Base(d.key) == path.Base(path.Clean(s)))
		})
	}},
	{"--bind-try passes over a source below a file", func(b *both, d difference) bool {
		return b.has("--bind-try", "--ro-bind-try", "--dev-bind-try") && strings.Contains(b.theirs[noteKey], "/src/file/x: Not a directory")
	}},
	{"--bind-fd goes over a symlink, which the original takes for a race", func(b *both, d difference) bool {
		return b.has("--bind-fd", "--ro-bind-fd") && b.theyFail("Race condition binding dirfd")
	}},
	{"a bind can go over the symlink that names its destination", func(b *both, d difference) bool {
		return b.has("--symlink") && b.theyFail("realpath(destination): No such file or directory")
	}},
	{"an --mqueue can be mounted on another", func(b *both, d difference) bool {
		return b.has("--mqueue") && b.theyFail("Can't mount mqueue on ") && strings.Contains(b.theirs[noteKey], "busy")
	}},
	{"the runtime's own descriptors cannot be read", func(b *both, d difference) bool {
		return b.has("+5") && (b.ours[""] == "" || b.theirs[""] == "")
	}},
	{"PWD is absolute", func(b *both, d difference) bool {
		i := slices.Index(b.args, "--chdir") + 1
		return d.key == "environment" && i > 0 && i < len(b.args) && b.args[i] != "" && b.args[i][0] != '/' && strings.Replace(d.theirs, `"PWD=`, `"PWD=/`, 1) == d.ours
	}},
	{"--symlink may be there already, as since bubblewrap 0.9", func(b *both, d difference) bool {
		return b.theyFail("Can't make symlink at ") && strings.Contains(b.theirs[noteKey], ": File exists")
	}},
	{"an empty --hostname leaves the host's", func(b *both, d difference) bool {
		return d.key == "hostname" && d.theirs == `""`
	}},
	{"a --bind-data can be mounted over, and made read-only", func(b *both, d difference) bool {
		return b.has("--bind-data", "--ro-bind-data") && b.theyFail("Unable to mount source on destination: No such file or directory", ` (deleted)" in mount table`)
	}},
	{"what comes through a descriptor is read before anything is made", func(b *both, d difference) bool {
		return b.has("--file") && strings.Contains(fmt.Sprint(b.fds), "file:@T/src/file") && (d.key == "host /src/file" && d.ours == "" || strings.HasPrefix(d.key, "tree ") && strings.HasSuffix(d.theirs, ` size 0 ""`))
	}},
	{"root's files in /proc are read-only whatever root is called", func(b *both, d difference) bool {
		return b.who.root() && strings.HasPrefix(d.key, "mount ") && d.theirs == "" && strings.HasPrefix(d.ours, "proc ro,") &&
			slices.Contains([]string{"sys", "sysrq-trigger", "irq", "bus"}, path.Base(d.key))
	}},
	{"set-id bits of files stay", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "tree ") && b.has("--perms") && b.has("--bind-data", "--ro-bind-data", "--file") && noBits(d.theirs) == noBits(d.ours)
	}},
	{"a work directory in which the kernel would delete something is a fault", func(b *both, d difference) bool {
		return b.ours[""] == "" && b.ours["exit"] == "1" && strings.Contains(b.ours[noteKey], "the kernel would delete ")
	}},
	{"layers that overlap are a fault", func(b *both, d difference) bool {
		return b.ours[""] == "" && b.ours["exit"] == "1" && strings.Contains(b.ours[noteKey], "are the same directory or lie within each other")
	}},
	{"root without CAP_SYS_ADMIN gets a user namespace", func(b *both, d difference) bool {
		return slices.Contains(b.drop, 21) && b.theyFail("Creating new namespace failed: Operation not permitted")
	}},
	{"--bind-try of an empty source binds nothing, and not the root of the host", func(b *both, d difference) bool {
		for i, w := range b.args {
			if strings.HasSuffix(w, "-try") && i+1 < len(b.args) && b.args[i+1] == "" {
				return true
			}
		}
		return false
	}},
	{"numbers out of range are faults", func(b *both, d difference) bool {
		return b.has("99999999999") && b.ours[""] == "" && b.ours["exit"] == "1"
	}},
	{"index, metacopy and xino of overlays are off", func(b *both, d difference) bool {
		plain := func(s string) string {
			return strings.NewReplacer("index=off,", "", "metacopy=off,", "", "xino=off,", "", "source=overlay", "source=none").Replace(s)
		}
		return strings.HasPrefix(d.key, "mount ") && strings.HasPrefix(d.ours, "overlay ") && plain(d.theirs) == plain(d.ours)
	}},
	{"the bounding set goes with the capabilities", func(b *both, d difference) bool {
		return d.key == "capabilities bounding" && b.who.root() && b.has("--cap-add", "--cap-drop") && d.ours == strings.TrimSuffix(b.ours["capabilities permitted"], " ok")
	}},
	{"descriptors of namespaces are not passed on", func(b *both, d difference) bool {
		n, ok := strings.CutPrefix(d.key, "fd ")
		fd, err := strconv.Atoi(n)
		return ok && err == nil && d.ours == "" && strings.HasSuffix(b.fds[fd], "ns:")
	}},
	{"root without CAP_NET_ADMIN gets a user namespace for a network namespace", func(b *both, d difference) bool {
		return slices.Contains(b.drop, 12) && b.has("--unshare-net", "--unshare-all") && b.theyFail("loopback: Failed RTM_NEWADDR")
	}},
	{"a caller with capabilities that is not root is served", func(b *both, d difference) bool {
		return b.theyFail("Unexpected capabilities but not setuid")
	}},
	{"of what the caller ignores or blocks, some is not in the command", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "signals ") && runtimeSignals(b)
	}},
}

// unreached tells whether ours is an ordinary user's, and has told of a directory
// that is closed to its owner, be it by the name that it is bound to.
func (b *both) unreached() bool {
	note := strings.ToLower(b.ours[noteKey])
	return !b.who.root() && b.ours[""] == "" && strings.Contains(note, "permission denied") && (strings.Contains(note, "/closed") || b.has("@T/src/closed"))
}

// noBits is a file's description without set-id bits.
func noBits(s string) string {
	f := strings.SplitN(s, " ", 3)
	if len(f) < 3 || len(f[1]) != 4 || f[0] != "file" {
		return s
	}
	return f[2] + f[1][1:]
}

// operands says how many operands bubblewrap's options have that concern paths of
// the sandbox. The path is the last.
var operands = map[string]int{
	"--bind": 2, "--ro-bind": 2, "--dev-bind": 2, "--bind-try": 2, "--ro-bind-try": 2, "--dev-bind-try": 2, "--bind-fd": 2, "--ro-bind-fd": 2,
	"--remount-ro": 1, "--proc": 1, "--dev": 1, "--tmpfs": 1, "--mqueue": 1, "--dir": 1, "--file": 2, "--bind-data": 2, "--ro-bind-data": 2,
	"--symlink": 2, "--chmod": 2, "--lock-file": 1, "--chdir": 1, "--overlay": 3, "--tmp-overlay": 1, "--ro-overlay": 1,
}

// astray tells whether a path of the line leads over a symlink that is absolute or
// leads up, or above the root.
func (b *both) astray() bool {
	words := slices.Clone(b.args)
	for _, what := range b.fds {
		if args, ok := strings.CutPrefix(what, "args:"); ok {
			words = append(words, strings.Fields(args)...)
		}
	}
	if b.last {
		words = append(words, "--ro-bind", "", "/observe")
	}
	// Links in the fixture, wherever it is bound.
	links := []string{"abs", "abs-file", "chain", "dangling-abs", "up", "work", "localtime", "lock", "tmp-link"}
	var made []string
	for i, word := range words {
		n := operands[word]
		if n == 0 || i+n >= len(words) {
			continue
		}
		dst := words[i+n]
		if depth := 0; strings.Contains(dst, "..") {
			for name := range strings.SplitSeq(dst, "/") {
				switch name {
				case "", ".":
				case "..":
					depth--
				default:
					depth++
				}
				if depth < 0 {
					return true
				}
			}
		}
		dst = path.Clean("/" + dst)
		for name := range strings.SplitSeq(dst, "/") {
			if slices.Contains(links, name) {
				return true
			}
		}
		if slices.ContainsFunc(made, func(l string) bool { return plan.Within(dst, l) }) {
			return true
		}
		if word == "--symlink" && leavesDir(words[i+1]) {
			made = append(made, dst)
		}
	}
	return false
}

// overLink tells whether a --symlink of the line goes to or below the place of
// another that is absolute or leads up.
func (b *both) overLink() bool {
	var at []int
	for i := range len(b.args) - 2 {
		if b.args[i] == "--symlink" {
			at = append(at, i)
		}
	}
	dst := func(i int) string { return path.Clean("/" + b.args[i+2]) }
	for _, i := range at {
		for _, j := range at {
			if i != j && leavesDir(b.args[j+1]) && plan.Within(dst(i), dst(j)) {
				return true
			}
		}
	}
	return false
}

// leavesDir tells whether a symlink is absolute or leads up.
func leavesDir(target string) bool {
	return strings.HasPrefix(target, "/") || strings.Contains(target, "..")
}

// stacked tells whether point has the name of a place where the host has several
// mounts.
func stacked(point string) bool {
	point, _, _ = strings.Cut(point, " #")
	count := map[string]int{}
	for _, m := range hostMounts() {
		if path.Base(m[4]) == path.Base(point) {
			count[m[4]]++
		}
	}
	for _, n := range count {
		if n > 1 {
			return true
		}
	}
	return false
}

// mkosiDeliberate is what cmd/mkosi-sandbox does otherwise on purpose; its package
// comment gives the reasons.
var mkosiDeliberate = []deliberate{
	{"SIGPIPE and SIGXFSZ are not ignored; of what the caller ignores or blocks, some is not in the command", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "signals ") && runtimeSignals(b, "13", "25")
	}},
	{"the root and /dev are nosuid, and nodev or noexec; mode and source are told otherwise", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "mount ") && safer(d)
	}},
	{"of a name that is in the environment twice, the first counts", func(b *both, d difference) bool { return twice(b, d) }},
	{"the root of an overlay with changes in memory has the mode of the topmost directory", func(b *both, d difference) bool {
		return b.has("--overlay") && b.has("tmpfs") && modeOfOverlay(d)
	}},
	{"what the caller's own rights do not reach is a fault, where capabilities in a new namespace would", func(b *both, d difference) bool {
		return b.unreached()
	}},
	{"the loopback interface is up", func(b *both, d difference) bool {
		return d.key == "interface lo" && d.theirs == "flags 0x8 address none" && d.ours == "flags 0x49 address [127 0 0 1]"
	}},
	{"what fails has not made the same on the host", func(b *both, d difference) bool {
		return strings.HasPrefix(d.key, "host ") && b.theirs[""] == "" && b.ours[""] == ""
	}},
	{"what is not found is named", func(b *both, d difference) bool {
		return d.key == "stderr" && b.theirs["exit"] == "127" && b.ours["exit"] == "127"
	}},
	{"--symlink into a directory that is missing, or over a link to a directory", func(b *both, d difference) bool {
		return b.has("--symlink") && b.theyFail("FileNotFoundError: [Errno 2] No such file or directory: '", "FileExistsError: [Errno 17] File exists: '") && strings.Contains(b.theirs[noteKey], "' -> 'newroot")
	}},
	{"/proc/self/cwd is the caller's working directory", func(b *both, d difference) bool {
		return slices.ContainsFunc(b.args, func(s string) bool { return strings.HasPrefix(s, "/proc/self/cwd") })
	}},
	{"--symlink to where a --write and a --bind go", func(b *both, d difference) bool {
		return b.has("--symlink") && b.has("--write") && strings.Contains(b.theirs[noteKey], "in mount_bind") && b.theyFail("FileNotFoundError: [Errno 2] No such file or directory: 'newroot/")
	}},
	{"symlinks mean what they mean in the sandbox, for those at or below them too", func(b *both, d difference) bool {
		return b.overLink()
	}},
	{"--pack-fds without /proc in the sandbox", func(b *both, d difference) bool {
		return b.has("--pack-fds") && b.theyFail("No such file or directory: '/proc/self/fd'", "Not a directory: '/proc/self/fd'", "PermissionError: [Errno 13] Permission denied: '/proc/self/fd'")
	}},
	{"msync() is suppressed where it would write only", func(b *both, d difference) bool {
		return d.key == "call msync" && b.has("--suppress-sync") && d.theirs == "ok" && d.ours == "EINVAL"
	}},
	{"a work directory in which the kernel would delete something is a fault", func(b *both, d difference) bool {
		return b.ours[""] == "" && b.ours["exit"] == "1" && strings.Contains(b.ours[noteKey], "the kernel would delete ")
	}},
	{"layers that overlap are a fault", func(b *both, d difference) bool {
		return b.ours[""] == "" && b.ours["exit"] == "1" && strings.Contains(b.ours[noteKey], "are the same directory or lie within each other")
	}},
	{"so are two overlays with one upper directory", func(b *both, d difference) bool {
		return b.ours[""] == "" && b.ours["exit"] == "1" && strings.Contains(b.ours[noteKey], " of another overlay of this sandbox, at ")
	}},
	{"no path leads over a symlink that is bound itself", func(b *both, d difference) bool {
		return b.has("--bind-nofollow", "--ro-bind-nofollow") && b.ours[""] == "" && (strings.Contains(b.ours[noteKey], ": not a directory") || strings.Contains(b.ours[noteKey], ": too many levels of symbolic links"))
	}},
	{"a source in the sandbox is there before its bind", func(b *both, d difference) bool {
		return b.ours[""] == "" && slices.ContainsFunc(b.args, func(s string) bool { return strings.HasPrefix(s, "+") }) &&
			(strings.Contains(b.ours[noteKey], "does not exist in the sandbox") || strings.Contains(b.ours[noteKey], ": not a directory"))
	}},
	{"a source that is a symlink to itself is a fault, and not bound over a file", func(b *both, d difference) bool {
		return b.ours[""] == "" && strings.Contains(b.ours[noteKey], "/src/loop") && strings.Contains(b.ours[noteKey], "too many levels of symbolic links")
	}},
	{"the root is no bind of a part of itself, by a symlink to it neither", func(b *both, d difference) bool {
		return b.ours[""] == "" && strings.Contains(b.ours[noteKey], "bind: cannot be the root of the sandbox")
	}},
	{"binds of devices and sockets to where nothing is", func(b *both, d difference) bool {
		return strings.Contains(b.theirs[noteKey], "in mount_bind") && b.theyFail("OSError: [Errno 22] Invalid argument: 'newroot", "NotADirectoryError: [Errno 20] Not a directory: 'newroot")
	}},
	{"overlays with a single read-only layer, without a work directory, with : or , in paths", func(b *both, d difference) bool {
		return b.has("--overlay") && !strings.Contains(b.theirs[noteKey], "in mount_bind") &&
			b.theyFail("OSError: [Errno 22] Invalid argument: 'newroot", "FileNotFoundError: [Errno 2] No such file or directory: 'newroot") &&
			(!strings.Contains(b.theirs[noteKey], "FileNotFoundError") || slices.ContainsFunc(b.args, func(s string) bool { return strings.ContainsAny(s, ",:") }))
	}},
	{"an overlay's changes in memory are out of reach below it, and a read-only one is mounted so", func(b *both, d difference) bool {
		if !b.has("--overlay") || !strings.HasPrefix(d.key, "mount ") {
			return false
		}
		ro := func(s string) string {
			return strings.NewReplacer("overlay ro,", "overlay rw,", "source=overlayfs", "source=overlay").Replace(s)
		}
		if ro(d.theirs) == ro(d.ours) && d.ours != "" {
			return true
		}
		above := b.theirs[next(d.key)] // one of theirs less below
		return b.has("tmpfs") && (d.ours == "" && (above == "" || strings.HasPrefix(d.theirs, "tmpfs ")) || ro(above) == ro(d.ours) || safer(difference{d.key, above, d.ours}))
	}},
}

// next is the key of the mount over that of a key.
func next(key string) string {
	point, n, ok := strings.Cut(key, " #")
	if !ok {
		return key + " #2"
	}
	i, _ := strconv.Atoi(n)
	return fmt.Sprintf("%s #%d", point, i+1)
}

// twice tells whether only the second of two variables of one name is missing.
func twice(b *both, d difference) bool {
	if d.key != "environment" || !slices.Contains(b.env, "A=2") {
		return false
	}
	return strings.Replace(d.theirs, ` "A=2"`, "", 1) == d.ours || strings.Replace(d.theirs, `"A=2" `, "", 1) == d.ours
}

// modeOfOverlay tells whether the root of an overlay has another mode.
func modeOfOverlay(d difference) bool {
	f, g := strings.Fields(d.theirs), strings.Fields(d.ours)
	return strings.HasPrefix(d.key, "tree ") && len(f) > 2 && len(f) == len(g) && f[0] == "dir" && g[0] == "dir" &&
		f[1] == "0755" && slices.Equal(f[2:], g[2:])
}

// runtimeSignals tells whether ours differs but for what the Go runtime does: it
// keeps only SIGHUP and SIGINT ignored, and unblocks some. Python's ignored ones
// are left out.
func runtimeSignals(b *both, python ...string) bool {
	ignored := func(o observation) []string { return strings.Fields(strings.Trim(o["signals ignored"], "[]")) }
	want := slices.DeleteFunc(ignored(b.theirs), func(s string) bool {
		return slices.Contains(python, s) || s != "1" && s != "2"
	})
	theirs, err1 := strconv.ParseUint(b.theirs["signals blocked"], 16, 64)
	ours, err2 := strconv.ParseUint(b.ours["signals blocked"], 16, 64)
	const unblocked = 1<<(15-1) | 1<<(17-1) | 1<<(33-1) | 1<<(34-1)
	return slices.Equal(ignored(b.ours), want) && err1 == nil && err2 == nil && ours == theirs&^unblocked
}

// safer tells whether a mount of ours is like theirs but for more of nosuid, nodev
// and noexec, its source, and the mode among its options.
func safer(d difference) bool {
	flags := []string{"nosuid", "nodev", "noexec"}
	plain := func(s string) string {
		f := strings.SplitN(s, " ", 7)
		if len(f) < 7 || f[3] == "host's" {
			return s
		}
		without := func(list string, drop ...string) string {
			return strings.Join(slices.DeleteFunc(strings.Split(list, ","), func(o string) bool { return slices.Contains(drop, o) }), ",")
		}
		f[1], f[5], f[6] = without(f[1], flags...), "", without(f[6], "mode=755", "mode=700")
		return strings.Join(f, " ")
	}
	for _, f := range flags {
		if strings.Contains(d.theirs, f) && !strings.Contains(d.ours, f) {
			return false
		}
	}
	return plain(d.theirs) == plain(d.ours)
}
