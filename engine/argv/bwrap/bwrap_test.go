package bwrap

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

// data is what file descriptors of tests yield.
func data(m map[int]string) Options {
	return Options{Dir: "/cwd", Read: func(fd int) ([]byte, error) {
		s, ok := m[fd]
		if !ok {
			return nil, errors.New("Bad file descriptor")
		}
		m[fd] = ""
		return []byte(s), nil
	}}
}

// parse reads a line that must be sound.
func parse(t testing.TB, args []string, o Options) *Line {
	t.Helper()
	l, err := Parse(args, o)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return l
}

// identical has Print undo what Parse does.
func identical(t testing.TB, args []string, o Options) {
	t.Helper()
	p := parse(t, args, o).Plan
	argv, inputs, lost := Print(p)
	if lost != nil {
		t.Errorf("%q: not said: %v", args, lost)
	}
	m := map[int]string{}
	for _, in := range inputs {
		m[in.FD] = string(in.Data)
	}
	q := parse(t, argv, data(m)).Plan
	if !plan.Same(p, q) {
		a, _ := p.JSON()
		b, _ := q.JSON()
		t.Errorf("%q\nas %q: another plan:\n%s\n%s", args, argv, a, b)
	}
	// What is printed is the canonical form.
	again, _, _ := Print(q)
	if !reflect.DeepEqual(argv, again) {
		t.Errorf("%q, then %q", argv, again)
	}
}

func read(t testing.TB, file string, f func(argv []string)) {
	t.Helper()
	r, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := 0
	s := bufio.NewScanner(r)
	for s.Buffer(nil, 1<<20); s.Scan(); n++ {
		var v struct {
			Argv []string `json:"argv"`
		}
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		f(v.Argv)
	}
	t.Log(n, "lines of", file)
}

// TestRecorded reads command lines of programs that use bubblewrap. BWRAP_CORPUS
// may name a file with more of them, {"argv": […]} a line.
func TestRecorded(t *testing.T) {
	files := []string{"testdata/recorded.jsonl"}
	if more := os.Getenv("BWRAP_CORPUS"); more != "" {
		files = append(files, more)
	}
	for _, file := range files {
		read(t, file, func(argv []string) {
			any := Options{Dir: "/cwd", Read: func(int) ([]byte, error) { return nil, nil }}
			identical(t, argv, any)
		})
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args, want string // the words, and the plan without what is always so
	}{
		{"true", `{"command":["true"]}`},
		{"--bind a /x true", `{"command":["true"],"ops":[{"create":true,"dev":false,"dst":"/x","follow":true,"op":"bind","src":"/cwd/a"}]}`},
		{"--ro-bind-try /a y/z true", `{"command":["true"],"ops":[{"create":true,"dev":false,"dst":"/y/z","follow":true,"op":"bind","optional":true,"parent_mode":"0700","ro":true,"src":"/a"}]}`},
		{"--dev-bind / / --proc //p true", `{"command":["true"],"ops":[{"create":true,"dev":true,"dst":"/","follow":true,"op":"bind","src":"/"},{"create":true,"dst":"/p","op":"proc"}]}`},
		{"--perms 0750 --dir /a/b --tmpfs /c/d --size 4096 --perms 1777 --tmpfs /e true", `{"command":["true"],"ops":[{"create":true,"dst":"/a/b","mode":"0750","op":"mkdir","parent_mode":"0750"},{"create":true,"dst":"/c/d","mode":"0755","op":"tmpfs","parent_mode":"0755"},{"create":true,"dst":"/e","mode":"01777","op":"tmpfs","size":4096}]}`},
		{"--file 5 /f --ro-bind-data 6 /g true", `{"command":["true"],"ops":[{"content":"through","create":true,"data":"five","dst":"/f","follow":true,"mode":"0666","op":"write"},{"content":"mount","create":true,"data":"six","dst":"/g","follow":true,"mode":"0600","op":"write","ro":true}]}`},
		{"--overlay-src a --overlay-src /b --overlay u w /o --remount-ro /o --chmod 700 /o true", `{"command":["true"],"ops":[{"create":true,"dev":true,"dst":"/o","lower":["/cwd/a","/b"],"op":"overlay","suid":true,"upper":"/cwd/u","work":"/cwd/w"},{"dev":false,"dst":"/o","op":"remount_ro"},{"dst":"/o","mode":"0700","op":"chmod"}]}`},
		{"--bind-fd 7 /x --symlink a b true", `{"command":["true"],"ops":[{"create":true,"dev":false,"dst":"/x","follow":true,"op":"bind","src_fd":7},{"content":"through","create":true,"dst":"/b","op":"symlink","target":"a"}]}`},
		{"--unshare-all --share-net --hostname h --uid 1 --gid 2 -- --dir", `{"command":["--dir"],"hostname":"h","identity":{"gid":2,"uid":1},"unshare":{"cgroup_try":true,"ipc":true,"pid":true,"user_try":true,"uts":true}}`},
		{"--unshare-pid --as-pid-1 --die-with-parent --new-session true", `{"command":["true"],"die_with_parent":true,"init":false,"new_session":true,"unshare":{"pid":true}}`},
		{"--cap-add cap_chown --cap-drop CAP_KILL true", `{"capabilities":{"add":["CAP_CHOWN"],"drop":["CAP_KILL"],"set":"caller"},"command":["true"]}`},
		{"--cap-add 0 --cap-add 0x15 --cap-drop 05 --cap-add 50 true", `{"capabilities":{"add":["CAP_CHOWN","CAP_SYS_ADMIN"],"drop":["CAP_KILL"],"set":"caller"},"command":["true"]}`},
		{"--cap-add CAP_CHOWN --cap-drop all true", `{"capabilities":{"set":"none"},"command":["true"]}`},
		{"--cap-drop ALL --cap-add CAP_KILL --cap-add CAP_CHOWN --cap-drop CAP_KILL true", `{"capabilities":{"keep":["CAP_CHOWN"],"set":"keep"},"command":["true"]}`},
		{"--setenv A b --clearenv --unsetenv C --argv0 x --chdir a true", `{"argv0":"x","chdir":"/a","command":["true"],"env":[{"name":"A","op":"setenv","value":"b"},{"op":"clearenv"},{"name":"C","op":"unsetenv"}]}`},
		{"--info-fd 3 --json-status-fd 4 --block-fd 5 --sync-fd 6 --lock-file /l true", `{"command":["true"],"hooks":{"block_fd":5,"info_fd":3,"lock_files":[{"path":"/l"}],"status_fd":4,"sync_fd":6}}`},
		{"--seccomp 8 true", `{"command":["true"],"filters":[{"code":"eight.8."}]}`},
		{"--args 9 --tmpfs /b true", `{"command":["true"],"ops":[{"create":true,"dst":"/a","mode":"0755","op":"mkdir"},{"create":true,"dst":"/b","mode":"0755","op":"tmpfs"}]}`},
		{"--userns 3 --userns2 4 --pidns 5 --assert-userns-disabled true", `{"assert_no_userns":true,"command":["true"],"join":{"pid":5,"user":3,"user2":4}}`},
		{"--unshare-user --disable-userns true", `{"command":["true"],"no_userns":true,"unshare":{"user":true}}`},
	} {
		m := map[int]string{5: "five", 6: "six", 8: "eight.8.", 9: "--dir\x00/a\x00ignored"}
		p := parse(t, strings.Fields(tt.args), data(m)).Plan
		if got := short(t, p); got != tt.want {
			t.Errorf("%s:\n%s\nwant:\n%s", tt.args, got, tt.want)
		}
		identical(t, strings.Fields(tt.args), data(map[int]string{5: "five", 6: "six", 8: "eight.8.", 9: "--dir\x00/a\x00ignored"}))
	}
}

// short is the JSON of what New does not have, without positions.
func short(t testing.TB, p *plan.Plan) string {
	fields := func(p *plan.Plan) map[string]any {
		b, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := fields(p)
	for k, v := range fields(New()) {
		if reflect.DeepEqual(m[k], v) {
			delete(m, k)
		}
	}
	delete(m, "where")
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "at")
			for _, x := range v {
				strip(x)
			}
		case []any:
			for _, x := range v {
				strip(x)
			}
		}
	}
	strip(m)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", ""}, {"--bind a b", ""}, {"--", ""},
		{"--nonsense true", "Unknown option --nonsense"}, {"- true", "Unknown option -"},
		{"--bind a", "--bind takes two arguments"}, {"--ro-bind-try", "--ro-bind-try takes two arguments"},
		{"--ro-bind-fd 1", "--bind-fd takes two arguments"}, {"--remount-ro", "--remount-ro takes one argument"},
		{"--overlay a b", "--overlay takes three arguments"}, {"--chdir", "--chdir takes one argument"},
		{"--file x /f true", "Invalid fd: x"}, {"--info-fd -1 true", "Invalid fd: -1"}, {"--uid x true", "Invalid uid: x"},
		{"--overlay a b c true", "--overlay requires at least one --overlay-src"},
		{"--overlay-src a --ro-overlay c true", "--ro-overlay requires at least two --overlay-src"},
		{"--overlay-src a true", loneSource}, {"--overlay-src a --chdir / true", loneSource},
		{"--perms 8 --dir /a true", "--perms takes an octal argument <= 07777"}, {"--perms 10000 --dir /a true", "--perms takes an octal argument <= 07777"},
		{"--perms 1 --perms 1 --dir /a true", "--perms given twice for the same action"},
		{"--perms 1 --bind /a /a true", "--perms must be followed by an option that creates a file"},
		{"--size 1 --dir /a true", "--size must be followed by --tmpfs"}, {"--size 0 --tmpfs /a true", "--size takes a non-zero number of bytes"},
		{"--size 1x --tmpfs /a true", "--size takes a non-zero number of bytes"}, {"--size 18446744073709551616 --tmpfs /a true", "--size takes a non-zero number of bytes"},
		{"--size 9223372036854775809 --tmpfs /a true", "--size (for tmpfs) is limited to 9223372036854775807"},
		{"--argv0 a --argv0 b true", "--argv0 used multiple times"},
		{"--as-pid-1 true", "Specifying --as-pid-1 requires --unshare-pid"}, {"--hostname a true", "Specifying --hostname requires --unshare-uts"},
		{"--unshare-pid --as-pid-1 --lock-file a true", "Specifying --as-pid-1 and --lock-file is not permitted"},
		{"--disable-userns true", "--disable-userns requires --unshare-user"},
		{"--userns 3 --unshare-all true", "--userns not compatible --unshare-user-try"},
		{"--userns-block-fd 3 true", "--userns-block-fd requires --unshare-user"},
		{"--unshare-user --userns-block-fd 3 true", "--userns-block-fd requires --info-fd"},
		{"--cap-add CAP_NONE true", "unknown cap: CAP_NONE"}, {"--cap-add 64 true", "unknown cap: 64"}, {"--cap-add 08 true", "unknown cap: 08"}, {"--cap-add 0x true", "unknown cap: 0x"}, {"--cap-add -1 true", "unknown cap: -1"},
		{"--seccomp 3 --add-seccomp-fd 4 true", "--add-seccomp-fd cannot be combined with --seccomp"},
		{"--seccomp 7 true", "Can't read seccomp data: Bad file descriptor"}, {"--seccomp 5 true", "Invalid seccomp data, must be multiple of 8"},
		{"--args 7 true", "Can't read --args data: Bad file descriptor"}, {"--args 6 true", "--args not supported in arguments file"},
		{strings.Repeat("--clearenv ", 9001), "Exceeded maximum number of arguments 9000"},
	} {
		_, err := Parse(strings.Fields(tt.args), data(map[int]string{5: "five", 6: "--args\x001"}))
		var e *Error
		if !errors.As(err, &e) || e.Msg != tt.want || e.Usage != (tt.want == "") {
			t.Errorf("%.60s: %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestWordsAndWarnings(t *testing.T) {
	l := parse(t, strings.Fields("--level-prefix --args 9 --chdir / --chdir /b x"), data(map[int]string{9: "--dir\x00/a"}))
	if got := strings.Join(l.Words, " "); got != "--level-prefix --dir /a --chdir / --chdir /b x" {
		t.Error(got)
	}
	if p := l.Plan; p.Ops[0].At.Pos.Line != 2 || p.Where["chdir"].Pos.Line != 6 || p.Where["command"].Pos.Line != 8 {
		t.Error(p.Ops[0].At, p.Where)
	}
	if !l.LevelPrefix || fmt.Sprint(l.Warnings) != "[Only the last --chdir option will take effect]" {
		t.Error(l)
	}
	if l = parse(t, []string{"--bogus-after", "x"}[1:], Options{}); l.Check(0, 0) != nil {
		t.Error("no uid, no fault")
	}
	l = parse(t, strings.Fields("--uid 5 x"), Options{})
	if err := l.Check(0, 0); err == nil || l.Check(1, 1) != nil {
		t.Error("--uid of root:", err)
	}
	if l, err := Parse([]string{"--help", "--nonsense"}, Options{}); err != nil || !l.Help {
		t.Error(err)
	}
}

// TestRandom makes lines of random options, and has what they give survive the way
// there and back.
func TestRandom(t *testing.T) {
	seed := hosttest.Seed(t)
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	path := func() string { return pick("/", "/a", "/a/b", "c", "//d/", "/é\xff", "/x y") }
	options := []func() []string{
		func() []string {
			return []string{pick("--bind", "--ro-bind", "--dev-bind", "--bind-try", "--ro-bind-try", "--dev-bind-try", "--symlink"), path(), path()}
		},
		func() []string {
			return []string{pick("--proc", "--dev", "--mqueue", "--remount-ro", "--unsetenv"), strings.ReplaceAll(path(), "=", "")}
		},
		func() []string {
			return []string{"--perms", pick("0", "700", "0644", "7777"), pick("--dir", "--tmpfs"), path()}
		},
		func() []string { return []string{"--size", pick("1", "0x10", "010"), "--tmpfs", path()} },
		func() []string { return []string{pick("--file", "--bind-data", "--ro-bind-data"), "5", path()} },
		func() []string { return []string{"--chmod", pick("0", "755"), path()} },
		func() []string { return []string{"--setenv", pick("A", "B\xff"), path()} },
		func() []string {
			return []string{pick("--clearenv", "--unshare-user", "--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--unshare-all", "--share-net", "--new-session", "--die-with-parent", "--assert-userns-disabled")}
		},
		func() []string {
			return []string{"--overlay-src", path(), "--overlay-src", path(), pick("--ro-overlay", "--tmp-overlay"), path()}
		},
		func() []string { return []string{"--overlay-src", path(), "--overlay", path(), path(), path()} },
		func() []string {
			return []string{pick("--info-fd", "--json-status-fd", "--block-fd", "--sync-fd", "--uid", "--gid", "--userns2", "--pidns"), pick("3", "10", "11")}
		},
		func() []string {
			return []string{pick("--cap-add", "--cap-drop"), pick("ALL", "CAP_CHOWN", "CAP_KILL", "cap_sys_admin")}
		},
		func() []string { return []string{pick("--bind-fd", "--ro-bind-fd"), pick("3", "10", "12"), path()} },
		func() []string { return []string{pick("--chdir", "--lock-file"), path()} },
		func() []string { return []string{"--add-seccomp-fd", "8"} },
	}
	for range 2000 {
		var args []string
		for range r.IntN(12) {
			args = append(args, options[r.IntN(len(options))]()...)
		}
		args = append(args, "--", "command")
		identical(t, args, Options{Dir: "/cwd", Read: func(fd int) ([]byte, error) {
			return []byte(map[int]string{5: "data\x00\xff", 8: "12345678"}[fd]), nil
		}})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("--bind\x00/a\x00/b\x00true")
	f.Add("--args\x005\x00--perms\x000700\x00--dir\x00x\x00--\x00y")
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\x00")
		o := Options{Dir: "/", Read: func(int) ([]byte, error) { return []byte("--dir\x00/a\x00--xx\x00"), nil }}
		if _, err := Parse(args, o); err == nil {
			identical(t, args, o)
		}
	})
}

// TestPrintReadOnly has files in what is made read-only printed so, since here they
// are mounts by themselves, and not those that sbx mounts as well.
func TestPrintReadOnly(t *testing.T) {
	for _, tt := range []struct{ mount, want string }{
		{"tmpfs", "--ro-bind-data 10 /t/d/f"}, {"bind", "--bind-data 10 /t/d/f"}, {"dev", "--ro-bind-data 10 /t/d/f"}, {"", "--ro-bind-data 10 /t/d/f"}, {"none", "--bind-data 10 /t/d/f"},
	} {
		p := plan.New()
		p.Command = []plan.Str{"true"}
		p.Ops = []plan.Op{{Kind: plan.Write, Dst: "/t//d/f", Data: "x", Mode: plan.ModePtr(0o600)}, {Kind: plan.RemountRO, Dst: "/t/"}, {Kind: plan.Mkdir, Dst: "/t/d"}}
		switch tt.mount {
		case "":
			p.Ops[1].Dst = "/"
		case "none":
			p.Ops[1].Dst = "/t/d"
		default:
			p.Ops = append(p.Ops, plan.Op{Kind: plan.Kind(tt.mount), Src: "/a", Dst: "/t"})
		}
		argv, _, _ := Print(p)
		if got := strings.ReplaceAll(strings.Join(argv, " "), "//", "/"); !strings.Contains(got, " "+tt.want) {
			t.Errorf("%s: %s, want %s", tt.mount, got, tt.want)
		}
	}
}

// TestPrintPWD has named that PWD is bubblewrap's to set.
func TestPrintPWD(t *testing.T) {
	p := plan.New()
	p.Command = []plan.Str{"true"}
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "PWD", Value: "/x"}, {Kind: plan.UnsetEnv, Name: "PWD"}, {Kind: plan.PassEnv, Name: "PWD"}}
	argv, _, lost := Print(p)
	s := lost.Error()
	for _, want := range []string{"warning: pwd: ", "error: setenv: PWD is ", "error: unsetenv: PWD is "} {
		if strings.Count(s, want) != 1 {
			t.Errorf("%q: not %q once in\n%s", argv, want, s)
		}
	}
	if got := strings.Join(argv, " "); strings.Contains(got, "PWD") {
		t.Error(got)
	}
	p.PWD, p.Env = plan.PWDSet, p.Env[:2] // a line of bubblewrap's
	if argv, _, lost = Print(p); strings.Contains(lost.Error(), "PWD") || !strings.Contains(strings.Join(argv, " "), "--setenv PWD /x --unsetenv PWD") {
		t.Errorf("%q: %v", argv, lost)
	}
}
