//go:build linux

package argvtest

// Random command lines: what neither author thought of.

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
	"sbx/engine/host/hosttest"
)

// option is an option with its operands, and the descriptors that it needs.
type option struct {
	words []string
	fds   map[int]string
}

// random makes options.
type random struct {
	*rand.Rand
	fd int // the next descriptor
}

func (r *random) one(list ...string) string { return list[r.IntN(len(list))] }

// often returns a with a probability of p percent, or else b.
func (r *random) often(p int, a, b string) string {
	if r.IntN(100) < p {
		return a
	}
	return b
}

// source is a path of the host.
func (r *random) source() string {
	if r.IntN(4) > 0 {
		return "@T/" + r.one("src", "src/dir", "src/file", "low1", "low2", "root", "src/dir/sub", "src/exec", "upper", "low1/f")
	}
	return r.one("@T/src/abs", "@T/src/abs-file", "@T/src/rel", "@T/src/rel-file", "@T/src/chain", "@T/src/dangling", "@T/src/dangling-abs",
		"@T/src/loop", "@T/src/loop2", "@T/src/fifo", "@T/src/sock", "@T/src/secret", "@T/src/closed-file", "@T/src/closed", "@T/src/empty",
		"@T/src/sticky", "@T/src/set-uid", "@T/src/sp ace", "@T/src/comma,colon:back\\slash", "@T/src/dir/link", "@T/src/read-only",
		"@T/src/mnt", "@T/mnt", "@T", "/", "/dev", "/dev/null", "/proc", "/sys", "/dev/zero", "@T/nothing", "@T/src/file/x", "@T/src/closed/x",
		"@T/src/dir/", "@T//src/./dir/../file", "", "rel", "../src", ".", "@T/root/etc", "@T/root/bin", "@T/root/etc/resolv.conf", "@T/src/up")
}

// layer is a path of the host that an overlay may be made of: in a sysfs the observer
// would make devices by reading some files, and the kernel deletes what has the name
// work in a work directory.
func (r *random) layer() string {
	for {
		if src := r.source(); strings.HasPrefix(src, "@T/") {
			return src
		}
	}
}

// destination is a path of the sandbox.
func (r *random) destination() string {
	if r.IntN(5) > 0 {
		return r.one("/x", "/x", "/y", "/a", "/a/b", "/a/b/c", "/x/dir", "/x/file", "/x/new", "/y/new", "/x/dir/sub", "/y/d", "/l", "/l", "/l/z", "/m", "/m/n")
	}
	return r.one("/", "/dev", "/proc", "/tmp", "/var/tmp", "/x/rel", "/x/abs", "/x/rel/new", "/x/abs/new", "/x/dangling", "/x/dangling-abs", "/x/loop",
		"/x/rel-file", "/x/abs-file", "/x/closed/z", "/x/closed", "/x/empty", "/x/file/z", "/x/sticky/s", "/x/dir/link", "/x/dir/link/new", "/x/mnt",
		"/x/up/y", "/x/up/observe", "/observe", "/observe/x", "/x/.", "/x/../y", "//x//q/", "/../up", "x", "a/b", ".", "", "/etc/hosts", "/etc/resolv.conf",
		"/usr/bin", "/bin", "/bin/tool", "/work", "/run", "/var/run/z", "/dev/null", "/dev/shm", "/dev/pts", "/proc/sys", "/sp ace", "/a,b:c\\d", "@T", "@T/cwd", "@T/src", "/loop", "/x/fifo", "/x/sock")
}

// target is the text of a symlink.
func (r *random) target() string {
	return r.one("/x", "/y", "y", "..", "../..", "/", ".", "a/b", "/a/b", "/x/dir", "/nowhere", "nowhere", "x/file", "/x/file", "/l", "l", "/proc/self/root", "/proc/1/root", "/oldroot", "../../../oldroot/etc", "/newroot", "")
}

func (r *random) mode() string {
	return r.one("0755", "0700", "0", "0777", "1777", "2755", "4711", "0644", "600", "0000", "07777", "10000", "8", "", "0x1", "-1")
}

func (r *random) name() string {
	return r.one("A", "B", "FOO", "HOME", "PATH", "PWD", "EMPTY", "LONG_NAME", "LANG", "a b", "LISTEN_FDS", "container", "LD_PRELOAD", r.often(90, "C", ""), r.often(90, "D", "X=Y"))
}

// descriptor opens one.
func (r *random) descriptor(o *option, what string) string {
	r.fd++
	fd := r.fd
	if r.IntN(30) == 0 {
		return r.one("99", "x", "", "-1", "1x", "+5") // never opened
	}
	o.fds = map[int]string{fd: what}
	return strconv.Itoa(fd)
}

// try runs n random lines for each user, which generate makes.
func (p *pair) try(t *testing.T, n int, generate func(r *random) ([]option, *line)) {
	seed := hosttest.Seed(t)
	if s := os.Getenv("ARGV_COUNT"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		box.Must(t, err)
	}
	if testing.Short() {
		n /= 4
	}
	each(t, func(t *testing.T, w who) {
		s := newSite(t, w)
		bad := 0
		for i := range n {
			options, l := generate(&random{rand.New(rand.NewPCG(seed, uint64(i)<<32|uint64(w.uid))), 20})
			options = slices.DeleteFunc(options, func(o option) bool {
				l := line{args: o.words, fds: o.fds}
				return p.unknown(&l) != ""
			})
			list, note := p.differ(t, l.given(options), s)
			if len(list) == 0 {
				continue
			}
			options, l, list, note = p.shrink(t, s, options, l, list, note)
			t.Logf("SBX_TEST_SEED=%d, line %d of %d", seed, i, n)
			report(t, l.given(options), list, note)
			if bad++; bad == patienceWithFailures() {
				t.Fatalf("enough")
			}
		}
	})
}

// patienceWithFailures is how many differing lines are shown.
func patienceWithFailures() int {
	if n, err := strconv.Atoi(os.Getenv("ARGV_FAILURES")); err == nil {
		return n
	}
	return 3
}

// given returns l with options.
func (l *line) given(options []option) *line {
	m := *l
	m.args = slices.Clone(l.args)
	m.fds = maps.Clone(l.fds)
	if m.fds == nil {
		m.fds = map[int]string{}
	}
	for _, o := range options {
		m.args = append(m.args, o.words...)
		maps.Copy(m.fds, o.fds)
	}
	return &m
}

// shrink leaves out what does not matter to the difference.
func (p *pair) shrink(t testing.TB, s *site, options []option, l *line, list []difference, note string) ([]option, *line, []difference, string) {
	t.Helper()
	try := func(o []option, m *line) bool {
		d, n := p.differ(t, m.given(o), s)
		// It is to be the same difference, not any other.
		if !slices.ContainsFunc(d, func(d difference) bool { return d.key == list[0].key }) {
			return false
		}
		options, l, list, note = o, m, d, n
		return true
	}
	plain := &line{last: l.last}
	try(options, plain)
	for changed := true; changed; {
		changed = false
		for i := len(options) - 1; i >= 0; i-- {
			if i < len(options) && try(slices.Delete(slices.Clone(options), i, i+1), l) {
				changed = true
			}
		}
	}
	return options, l, list, note
}

// state makes the caller's state, which is mostly the plain one.
func (r *random) state(l *line) {
	l.last = r.IntN(2) == 0
	if r.IntN(3) > 0 {
		return
	}
	switch r.IntN(8) {
	case 0:
		l.umask = []int{0o77, 0o27, 0o777, 0o2}[r.IntN(4)]
	case 1:
		l.dir = r.one("/", "@T/src/dir", "@T/src/abs", "@T")
	case 2:
		l.env = []string{r.one("A=1", "novalue", "PWD=/x", "B=a=b"), r.one("A=2", "C=", "=x")}
	case 3:
		l.exit = r.IntN(256)
	case 4:
		l.signal = []int{9, 15, 6, 1}[r.IntN(4)]
	case 5:
		if os.Getuid() == 0 {
			l.mounts = someMounts
		}
	case 6:
		if os.Getuid() == 0 {
			l.drop = [][]int{{21}, {12}, {0, 1, 27}, {6, 7}}[r.IntN(4)]
		}
	case 7:
		l.ignore, l.block = []int{1, 10}, []int{12, 34}
	}
}

func TestRandomBwrap(t *testing.T) {
	t.Parallel()
	bwrapPair(t).try(t, 100, func(r *random) ([]option, *line) {
		var list []option
		for range 1 + r.IntN(8) {
			list = append(list, r.bwrap()...)
		}
		l := &line{}
		r.state(l)
		return list, l
	})
}

// bwrap is an option of bubblewrap, with what it needs before it.
func (r *random) bwrap() []option {
	o := option{}
	say := func(words ...string) []option {
		o.words = words
		return []option{o}
	}
	if r.IntN(4) > 0 { // a file system operation
		perms := func(words ...string) []option {
			if r.IntN(3) == 0 {
				words = append([]string{"--perms", r.mode()}, words...)
			}
			return say(words...)
		}
		switch r.IntN(24) {
		default:
			return say(r.one("--bind", "--ro-bind", "--dev-bind", "--bind", "--ro-bind", "--bind-try", "--ro-bind-try", "--dev-bind-try"), r.source(), r.destination())
		case 8:
			if r.IntN(4) == 0 {
				return perms("--size", r.one("4096", "65536", "0", "1k", "0x1000", "18446744073709551615"), "--tmpfs", r.destination())
			}
			return perms("--tmpfs", r.destination())
		case 9, 10:
			return perms("--dir", r.destination())
		case 11, 12:
			return say("--symlink", r.target(), r.destination())
		case 13:
			return say("--dev", r.often(70, "/dev", r.destination()))
		case 14:
			return say("--proc", r.often(70, "/proc", r.destination()))
		case 15:
			return say("--unshare-ipc", "--mqueue", r.destination()) // files in it are queues
		case 16:
			return say("--remount-ro", r.destination())
		case 17:
			return say("--chmod", r.mode(), r.destination())
		case 18:
			return perms("--file", r.descriptor(&o, r.one("data:text", "data:", "file:@T/src/file")), r.destination())
		case 19:
			return perms(r.one("--bind-data", "--ro-bind-data"), r.descriptor(&o, r.one("data:text", "data:", "file:@T/src/file")), r.destination())
		case 20:
			return say(r.one("--bind-fd", "--ro-bind-fd"), r.descriptor(&o, r.one("path:@T/src", "path:@T/src/file", "dir:@T/src/dir", "path:@T/low1", "null")), r.destination())
		case 21, 22:
			var words []string
			for range 1 + r.IntN(3) {
				words = append(words, "--overlay-src", r.often(80, r.one("@T/low1", "@T/low2", "@T/root", "@T/src/dir"), r.layer()))
			}
			switch r.IntN(3) {
			case 0:
				return say(append(words, "--tmp-overlay", r.destination())...)
			case 1:
				return say(append(words, "--ro-overlay", r.destination())...)
			}
			return say(append(words, "--overlay", r.often(80, r.one("@T/upper", "@T/upper2"), r.layer()), r.often(80, r.one("@T/work", "@T/work2"), r.layer()), r.destination())...)
		}
	}
	switch r.IntN(26) {
	case 0:
		return say("--unshare-all")
	case 1:
		return say("--unshare-user")
	case 2:
		return say("--unshare-pid")
	case 3:
		return say(r.one("--unshare-net", "--share-net"))
	case 4:
		return say(r.one("--unshare-ipc", "--unshare-cgroup", "--unshare-cgroup-try", "--unshare-user-try"))
	case 5:
		return say("--unshare-uts", "--hostname", r.one("box", "", "a.b"))
	case 6:
		return say("--hostname", "box")
	case 7:
		return say("--unshare-user", "--uid", r.one("0", "1000", "65534", "4242", "-1", "x"))
	case 8:
		return say("--unshare-user", "--gid", r.one("0", "1000", "65534", "4243", "-1", "x"))
	case 9:
		return say(r.one("--uid", "--gid"), r.one("0", "4242", "4243", "7"))
	case 10, 11, 12:
		return say("--setenv", r.name(), r.one("v", "", "a b", "x=y"))
	case 13:
		return say("--unsetenv", r.name())
	case 14:
		return say("--clearenv")
	case 15, 16:
		return say("--chdir", r.destination())
	case 17:
		return say(r.one("--cap-add", "--cap-drop"), r.one("ALL", "CAP_CHOWN", "cap_sys_admin", "CAP_NET_RAW", "CAP_SETUID", "CAP_MKNOD", "nonsense", ""))
	case 18:
		return say("--new-session")
	case 19:
		return say("--die-with-parent")
	case 20:
		return say("--unshare-pid", "--as-pid-1")
	case 21:
		return say(r.one("--as-pid-1", "--disable-userns", "--assert-userns-disabled", "--level-prefix", "--no-such-option", "--argv0"))
	case 22:
		return say("--unshare-user", "--disable-userns")
	case 23:
		return say(r.one("--seccomp", "--add-seccomp-fd"), r.descriptor(&o, r.often(90, "seccomp:", "data:odd")))
	case 24:
		return say(r.one("--info-fd", "--json-status-fd"), r.descriptor(&o, "out"))
	default:
		switch r.IntN(4) {
		case 0:
			return say("--lock-file", r.destination())
		case 1:
			return say("--sync-fd", r.descriptor(&o, "out"))
		case 2:
			return say("--block-fd", r.descriptor(&o, "data:x"))
		}
		return say("--argv0", r.one("name", "", "/x"))
	}
}

func TestRandomMkosi(t *testing.T) {
	t.Parallel()
	mkosiPair(t).try(t, 60, func(r *random) ([]option, *line) {
		var list []option
		for range 1 + r.IntN(8) {
			list = append(list, r.mkosi())
		}
		l := &line{}
		r.state(l)
		if r.IntN(20) == 0 {
			l.fds = map[int]string{10: "null", 15 + r.IntN(3): "file:@T/src/file"}
		}
		return list, l
	})
}

// mkosi is an option of mkosi-sandbox.
func (r *random) mkosi() option {
	say := func(words ...string) option { return option{words: words} }
	if r.IntN(5) > 0 {
		switch r.IntN(20) {
		default:
			return say(r.one("--bind", "--ro-bind", "--bind", "--ro-bind", "--bind-try", "--ro-bind-try"), r.source(), r.destination())
		case 8, 9:
			return say(r.one("--bind", "--ro-bind", "--bind-try"), "+"+r.destination(), r.destination())
		case 10:
			return say(r.one("--bind-nofollow", "--ro-bind-nofollow"), r.source(), r.destination())
		case 11:
			return say("--tmpfs", r.destination())
		case 12, 13:
			return say("--dir", r.destination())
		case 14:
			return say("--symlink", r.target(), r.destination())
		case 15, 16:
			return say("--write", r.one("text", "", "a\nb"), r.destination())
		case 17:
			return say("--dev", r.often(70, "/dev", r.destination()))
		case 18:
			var words []string
			for range 1 + r.IntN(3) {
				words = append(words, "--overlay-lowerdir", r.often(80, r.one("@T/low1", "@T/low2", "@T/root", "@T/src/dir"), r.layer()))
			}
			switch r.IntN(4) {
			case 0:
				words = append(words, "--overlay-upperdir", "tmpfs")
			case 1:
				words = append(words, "--overlay-upperdir", r.often(80, r.one("@T/upper", "@T/upper2"), r.layer()), "--overlay-workdir", r.often(80, r.one("@T/work", "@T/work2"), r.layer()))
			case 2:
				words = append(words, r.one("--overlay-upperdir", "--overlay-workdir"), r.one("@T/upper", "@T/work"))
			}
			return say(append(words, "--overlay", r.destination())...)
		}
	}
	switch r.IntN(10) {
	case 0, 1:
		return say("--setenv", r.name(), r.one("v", "", "a b", "x=y"))
	case 2:
		return say("--unsetenv", r.name())
	case 3:
		return say("--chdir", r.destination())
	case 4:
		return say(r.one("--same-dir", "--pack-fds"))
	case 5, 6:
		return say("--become-root")
	case 7:
		return say(r.one("--suppress-chown", "--suppress-sync"))
	case 8:
		return say(r.one("--unshare-net", "--unshare-ipc"))
	}
	return say(r.one("--unshare-net", "--no-such-option", "--debug"))
}
