package script

// The laws between command lines, plans and scripts.

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"sbx/engine/argv/bwrap"
	"sbx/engine/argv/mkosi"
	"sbx/engine/compile/compiletest"
	"sbx/engine/plan"
)

// option is one of a command line: its name and kinds of its operands.
type option struct {
	name     string
	operands string // s: source, d: destination, n: name, v: any value, f: descriptor, i: an id, m: a mode
}

var bwrapOptions = []option{
	{"--bind", "sd"}, {"--ro-bind", "sd"}, {"--dev-bind", "sd"}, {"--bind-try", "sd"}, {"--ro-bind-try", "sd"}, {"--dev-bind-try", "sd"},
	{"--bind-fd", "fd"}, {"--ro-bind-fd", "fd"}, {"--remount-ro", "d"}, {"--proc", "d"}, {"--dev", "d"}, {"--tmpfs", "d"}, {"--mqueue", "d"},
	{"--dir", "d"}, {"--file", "fd"}, {"--bind-data", "fd"}, {"--ro-bind-data", "fd"}, {"--symlink", "vd"}, {"--chmod", "md"},
	{"--setenv", "nv"}, {"--unsetenv", "n"}, {"--clearenv", ""}, {"--chdir", "d"}, {"--argv0", "v"},
	{"--unshare-all", ""}, {"--unshare-user", ""}, {"--unshare-user-try", ""}, {"--unshare-ipc", ""}, {"--unshare-pid", ""}, {"--unshare-net", ""},
	{"--unshare-uts", ""}, {"--unshare-cgroup", ""}, {"--unshare-cgroup-try", ""}, {"--share-net", ""}, {"--userns2", "f"}, {"--pidns", "f"},
	{"--assert-userns-disabled", ""}, {"--uid", "i"}, {"--gid", "i"}, {"--cap-add", "c"}, {"--cap-drop", "c"}, {"--new-session", ""},
	{"--die-with-parent", ""}, {"--lock-file", "d"}, {"--sync-fd", "f"}, {"--block-fd", "f"}, {"--info-fd", "f"}, {"--json-status-fd", "f"},
	{"--add-seccomp-fd", "f"}, {"--perms 0640 --tmpfs", "d"}, {"--perms 0500 --dir", "d"}, {"--size 4096 --tmpfs", "d"}, {"--perms 0400 --file", "fd"},
	{"--overlay-src /l1 --overlay-src /l2 --ro-overlay", "d"}, {"--overlay-src /l1 --tmp-overlay", "d"}, {"--overlay-src /l1 --overlay /up /wk", "d"},
}

var mkosiOptions = []option{
	{"--bind", "sd"}, {"--ro-bind", "sd"}, {"--bind-try", "sd"}, {"--ro-bind-try", "sd"}, {"--bind-nofollow", "sd"}, {"--ro-bind-nofollow", "sd"},
	{"--tmpfs", "d"}, {"--dev", "d"}, {"--proc", "d"}, {"--dir", "d"}, {"--symlink", "vd"}, {"--write", "vd"},
	{"--setenv", "nv"}, {"--unsetenv", "n"}, {"--chdir", "d"}, {"--same-dir", ""}, {"--become-root", ""}, {"--map-foreign", ""}, {"--map-delegate", "i"},
	{"--bind-foreign", "sd"}, {"--ro-bind-foreign", "sd"}, {"--suppress-chown", ""}, {"--suppress-sync", ""}, {"--unshare-net", ""}, {"--unshare-ipc", ""},
	{"--close-fd", "f"}, {"--pack-fds", ""}, {"--overlay-lowerdir /l1 --overlay-lowerdir /l2 --overlay", "d"},
	{"--overlay-lowerdir /l1 --overlay-upperdir tmpfs --overlay", "d"}, {"--overlay-lowerdir /l --overlay-upperdir /u --overlay-workdir /w --overlay", "d"},
	{"--bind", "+d"}, {"--ro-bind", "+d"},
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// words returns a command line of random options.
func words(r *rand.Rand, options []option) []string {
	var args []string
	for range r.IntN(14) {
		o := options[r.IntN(len(options))]
		args = append(args, fieldsOf(o.name)...)
		for _, k := range o.operands {
			w := ""
			switch k {
			case 's':
				w = pick(r, "/usr", "/etc/x", "/a b", "rel", "/\xff", "/usr/")
			case '+':
				w = pick(r, "+/usr", "+/a")
			case 'd':
				w = pick(r, "/usr", "/a", "/a/b", "/", "/c\n", "rel/x", "/a//b/", "/tmp", "/dev", "/proc")
			case 'n':
				w = pick(r, "A", "B", "PWD", "\xc3")
			case 'v':
				w = pick(r, "x", "two\nlines\n", "--", "\xff\xfe", "a 'b\" $c", "../usr")
			case 'f':
				w = strconv.Itoa(3 + r.IntN(5))
			case 'i':
				w = strconv.Itoa(r.IntN(3))
			case 'm':
				w = pick(r, "0644", "755")
			case 'c':
				w = pick(r, "ALL", "CAP_CHOWN", "CAP_NET_RAW", "cap_kill")
			}
			args = append(args, w)
		}
	}
	return append(args, pick(r, []string{"--", "sh", "-c", "exit\n3"}, []string{"true"}, []string{"--", "/bin/a b", "\xff"})...)
}

func fieldsOf(s string) (list []string) {
	for i := 0; i <= len(s); {
		j := i
		for j < len(s) && s[j] != ' ' {
			j++
		}
		list = append(list, s[i:j])
		i = j + 1
	}
	return list
}

// said checks that a script makes the plan.
func said(t *testing.T, args []string, p, base *plan.Plan) *plan.Plan {
	t.Helper()
	// What is there twice is as once.
	slices.Sort(p.CloseFDs)
	p.CloseFDs = slices.Compact(p.CloseFDs)
	p.Unshare.UserTry = p.Unshare.UserTry && !p.Unshare.User
	p.Unshare.CgroupTry = p.Unshare.CgroupTry && !p.Unshare.Cgroup
	text, faults := PrintLike(p, "", base, "the usual")
	if faults != nil {
		t.Fatalf("%q: %v", args, faults)
	}
	q := again(t, text)
	if !plan.Same(p, q) {
		a, _ := p.JSON()
		b, _ := q.JSON()
		t.Fatalf("%q\n%s\n%s\n%s", args, a, text, b)
	}
	return q
}

// TestBwrap has import(export(p)) equal p, and a script of p make p, for plans of
// bubblewrap's command lines.
func TestBwrap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	good := 0
	for range 600 {
		args := words(r, bwrapOptions)
		data := map[int]string{3: "12345678", 4: "\xff2345678", 5: "text\nof lines\n56", 6: "\x00\x00\x00\x00\x00\x00\x00\x00", 7: "--------"}
		line, err := bwrap.Parse(args, bwrap.Options{Dir: "/cwd", Read: func(fd int) ([]byte, error) {
			s, ok := data[fd]
			if delete(data, fd); !ok {
				return nil, os.ErrClosed
			}
			return []byte(s), nil
		}})
		if err != nil {
			continue
		}
		good++
		q := said(t, args, line.Plan, bwrap.New())
		back, inputs, lost := bwrap.Print(q)
		if lost.HasErrors() {
			t.Fatalf("%q: %v", args, lost)
		}
		again, err := bwrap.Parse(back, bwrap.Options{Dir: "/elsewhere", Read: func(fd int) ([]byte, error) {
			for _, in := range inputs {
				if in.FD == fd {
					return in.Data, nil
				}
			}
			return nil, os.ErrNotExist
		}})
		if err != nil {
			t.Fatalf("%q\n%q: %v", args, back, err)
		}
		if !plan.Same(again.Plan, q) {
			t.Fatalf("%q\n%q: another plan", args, back)
		}
	}
	t.Logf("%d command lines make sense", good)
	if good < 200 {
		t.Error("too few")
	}
}

// TestMkosi is the same for mkosi-sandbox.
func TestMkosi(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	good := 0
	for range 600 {
		args := words(r, mkosiOptions)
		line, ds := mkosi.Parse(args, "/cwd")
		if ds.HasErrors() {
			continue
		}
		good++
		q := said(t, args, line.Plan, mkosi.New())
		back, lost := mkosi.Print(q)
		if lost != nil {
			t.Fatalf("%q: %v", args, lost)
		}
		again, ds := mkosi.Parse(back, "/elsewhere")
		if ds != nil {
			t.Fatalf("%q\n%q: %v", args, back, ds)
		}
		if !plan.Same(again.Plan, q) {
			t.Fatalf("%q\n%q: another plan", args, back)
		}
	}
	t.Logf("%d command lines make sense", good)
	if good < 200 {
		t.Error("too few")
	}
}

// TestCalls has each setting of a script come from a call that Plan.Calls knows.
func TestCalls(t *testing.T) {
	n := 0
	compiletest.Changes(func(name string, p *plan.Plan) {
		text, faults := Print(p, "")
		if faults != nil {
			return
		}
		q := again(t, text)
		for _, field := range plan.Differ(*q, *plan.New()) {
			switch field {
			case "ops", "env", "where", "params", "inputs", "version":
				continue
			}
			for _, c := range q.Calls(field) {
				if n++; c.At.IsZero() || q.Where[c.Name].IsZero() && c.Name != "unshare" {
					t.Errorf("%s: who calls %q for %s?\n%s", name, c.Name, field, text)
				}
			}
		}
	})
	t.Logf("%d calls", n)
	if n < 300 {
		t.Error("too few")
	}
}
