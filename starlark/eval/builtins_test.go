package eval

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"sbx/engine/plan"
)

// brief is the JSON form of what p has beside the defaults, without positions.
func brief(t *testing.T, p *plan.Plan) string {
	t.Helper()
	q := *p
	q.Where = nil
	q.Ops = append([]plan.Op{}, p.Ops...)
	for i := range q.Ops {
		q.Ops[i].At = plan.Origin{}
	}
	q.Env = append([]plan.EnvOp(nil), p.Env...)
	for i := range q.Env {
		q.Env[i].At = plan.Origin{}
	}
	q.Rlimits = append([]plan.Rlimit(nil), p.Rlimits...)
	for i := range q.Rlimits {
		q.Rlimits[i].At = plan.Origin{}
	}
	q.Params = append([]plan.Param(nil), p.Params...)
	for i := range q.Params {
		q.Params[i].At = plan.Origin{}
	}
	fields := func(p *plan.Plan) map[string]json.RawMessage {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	base, m := fields(plan.New()), fields(&q)
	maps.DeleteFunc(m, func(k string, v json.RawMessage) bool { return bytes.Equal(v, base[k]) })
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBuiltins(t *testing.T) {
	tests := []struct{ src, want string }{
		{`bind("/usr")`, `{"ops":[{"op":"bind","dst":"/usr","src":"/usr"}]}`},
		{`bind("/a", "/b", ro = True, optional = True, follow = False, inside = True, dev = False, create = True)`,
			`{"ops":[{"op":"bind","dst":"/b","src":"/a","inside":true,"nofollow":true,"optional":true,"ro":true,"dev":false,"create":true}]}`},
		{`bind("/a", dev = True)`, `{"ops":[{"op":"bind","dst":"/a","src":"/a","dev":true}]}`},
		{`bind(b"/\xff")`, `{"ops":[{"op":"bind","dst":{"base64":"L/8="},"src":{"base64":"L/8="}}]}`},
		{`bind("rel/../x", "")`, `{"ops":[{"op":"bind","dst":"","src":"rel/../x"}]}`},
		{`bind("/a", suid = True, follow_dst = True, parent_mode = 0o700)`, `{"ops":[{"op":"bind","dst":"/a","src":"/a","suid":true,"follow":true,"parent_mode":"0700"}]}`},
		{`bind_fd(7, "/a", ro = True, dev = True, create = True, suid = True)`, `{"ops":[{"op":"bind","dst":"/a","src_fd":7,"ro":true,"dev":true,"create":true,"suid":true}]}`},
		{"def f(mode):\n    return mode\nmkdir(\"/a\", mode = f(mode = 420))", `{"ops":[{"op":"mkdir","dst":"/a","mode":"0644"}]}`},
		{`bind_fd(0, "/a", follow_dst = True, parent_mode = 0o700)`, `{"ops":[{"op":"bind","dst":"/a","src_fd":0,"follow":true,"parent_mode":"0700"}]}`},
		{`defaults(create = True, follow_dst = True); bind("/a"); bind("/a", create = False, follow_dst = False); mask("/a"); mkdir("/a")`,
			`{"ops":[{"op":"bind","dst":"/a","src":"/a","create":true,"follow":true},{"op":"bind","dst":"/a","src":"/a"},{"op":"mask","dst":"/a"},{"op":"mkdir","dst":"/a","create":true,"follow":true}]}`},
		{`defaults(dev = True, suid = True, parent_mode = 0o711); tmpfs("/a"); overlay("/b", "/c", dev = None, suid = False, parent_mode = None); defaults(dev = None); bind_fd(3, "/d", suid = False); remount_ro("/a")`,
			`{"ops":[{"op":"tmpfs","dst":"/a","dev":true,"suid":true,"parent_mode":"0711"},{"op":"overlay","dst":"/b","lower":["/c"]},{"op":"bind","dst":"/d","src_fd":3,"parent_mode":"0711"},{"op":"remount_ro","dst":"/a"}]}`},
		{`defaults(content = "mount"); symlink("a", "/b"); write("/c", "", ro = True, content = "through"); copy("/d", "/e", content = None)`,
			`{"ops":[{"op":"symlink","dst":"/b","target":"a","content":"mount"},{"op":"write","dst":"/c","ro":true,"content":"through"},{"op":"copy","dst":"/e","src":"/d"}]}`},
		{`mkdir("/d", chase = True, optional = True)`, `{"ops":[{"op":"mkdir","dst":"/d","chase":true,"optional":true}]}`},
		{`defaults(chase = True); bind("/d", foreign = True, chase = False); symlink("a", "/b")`,
			`{"ops":[{"op":"bind","dst":"/d","src":"/d","foreign":true},{"op":"symlink","dst":"/b","target":"a","chase":true}]}`},
		{`command_search(default_path = "/bin", shell_scripts = True); command(["x"], argv0 = "y")`, `{"command":["x"],"argv0":"y","default_path":"/bin","shell_scripts":true}`},
		{`pwd("set"); lifetime("command"); same_dir(optional = True)`, `{"pwd":"set","lifetime":"command","try_dir":true}`},
		{`pwd("keep"); pwd("agree"); lifetime("all"); same_dir(optional = True); same_dir()`, `{"same_dir":true}`},
		{`join_namespaces(user = 3, pid = 4); join_namespaces(user2 = 0)`, `{"join":{"user":3,"user2":0,"pid":4}}`},
		{`disable_userns(); assert_userns_disabled()`, `{"no_userns":true,"assert_no_userns":true}`},
		{`seccomp(b"\x06\x00\x00\x00\x00\x00\xff\x7f")`, `{"filters":[{"code":{"base64":"BgAAAAAA/38="},"at":{"pos":"t.star:1:1"}}]}`},
		{`hooks(info_fd = 3, block_fd = 4); lock_file("/a", "/b")`, `{"hooks":{"info_fd":3,"block_fd":4,"lock_files":[{"path":"/a","at":{"pos":"t.star:1:35"}},{"path":"/b","at":{"pos":"t.star:1:35"}}]}}`},
		{`capabilities("caller", add = ["net_raw", "CAP_CHOWN"], drop = ["kill"])`, `{"capabilities":{"set":"caller","add":["CAP_CHOWN","CAP_NET_RAW"],"drop":["CAP_KILL"]}}`},
		{`unshare(user = True, cgroup = "try")`, `{"unshare":{"user":true,"cgroup_try":true}}`},
		{`unshare(user = True); unshare(user = "try")`, `{"unshare":{"user_try":true}}`},
		{`map_foreign(); map_delegate(3)`, `{"identity":{"foreign":true,"delegate":3}}`},
		{`capabilities("build")`, `{"capabilities":{"set":"build"}}`},
		{`terminal_input(); suspend(); keep_fds(); propagation("shared")`, `{"terminal_input":true,"suspend":true,"keep_fds":true,"propagation":"shared"}`},
		{`order("given")`, `{"order":"given"}`},
		{`order("given"); order("tree")`, `{}`},
		{`propagation("slave")`, `{"propagation":"slave"}`},
		{`propagation("private")`, `{}`},
		{`mount_point_mode(0o444)`, `{"point_mode":"0444"}`},
		{`dev(bare = True)`, `{"ops":[{"op":"dev","dst":"/dev","bare":true}]}`},
		{`remount_ro("/d", dev = False)`, `{"ops":[{"op":"remount_ro","dst":"/d","dev":false}]}`},
		{`bind("/a", create_src = True)`, `{"ops":[{"op":"bind","dst":"/a","src":"/a","create_src":true}]}`},
		{`tmpfs("/t")`, `{"ops":[{"op":"tmpfs","dst":"/t"}]}`},
		{`tmpfs("/t", size = "64M", mode = 0o1777, create = True)`, `{"ops":[{"op":"tmpfs","dst":"/t","create":true,"size":67108864,"mode":"01777"}]}`},
		{`tmpfs("/t", size = "2g")`, `{"ops":[{"op":"tmpfs","dst":"/t","size":2147483648}]}`},
		{`tmpfs("/t", size = 4096)`, `{"ops":[{"op":"tmpfs","dst":"/t","size":4096}]}`},
		{`tmpfs("/t", size = "4096")`, `{"ops":[{"op":"tmpfs","dst":"/t","size":4096}]}`},
		{`mkdir("/d", mode = 0o700)`, `{"ops":[{"op":"mkdir","dst":"/d","mode":"0700"}]}`},
		{`mkdir("/d", create = True)`, `{"ops":[{"op":"mkdir","dst":"/d","create":true}]}`},
		{`mqueue()`, `{"ops":[{"op":"mqueue","dst":"/dev/mqueue"}]}`},
		{`mqueue("/q")`, `{"ops":[{"op":"mqueue","dst":"/q"}]}`},
		{`dev()`, `{"ops":[{"op":"dev","dst":"/dev"}]}`},
		{`dev(dst = "/d", create = True)`, `{"ops":[{"op":"dev","dst":"/d","create":true}]}`},
		{`proc()`, `{"ops":[{"op":"proc","dst":"/proc"}]}`},
		{`symlink("usr/bin", "/bin")`, `{"ops":[{"op":"symlink","dst":"/bin","target":"usr/bin"}]}`},
		{`write("/f", "x\n", mode = 0o755)`, `{"ops":[{"op":"write","dst":"/f","data":"x\n","mode":"0755"}]}`},
		{`write("/f", b"\x80")`, `{"ops":[{"op":"write","dst":"/f","data":{"base64":"gA=="}}]}`},
		{`copy("/a", "/b")`, `{"ops":[{"op":"copy","dst":"/b","src":"/a"}]}`},
		{`overlay("/o", ["/a", b"/b"])`, `{"ops":[{"op":"overlay","dst":"/o","lower":["/a","/b"]}]}`},
		{`overlay("/o", "/a", upper = "tmpfs")`, `{"ops":[{"op":"overlay","dst":"/o","lower":["/a"],"upper_tmpfs":true}]}`},
		{`overlay("/o", ("/a",), upper = "/u", work = "/w", create = True)`,
			`{"ops":[{"op":"overlay","dst":"/o","create":true,"lower":["/a"],"upper":"/u","work":"/w"}]}`},
		{`mask("/a", "/b", optional = True)`, `{"ops":[{"op":"mask","dst":"/a","optional":true},{"op":"mask","dst":"/b","optional":true}]}`},
		{`remount_ro("/a", recursive = True)`, `{"ops":[{"op":"remount_ro","dst":"/a","recursive":true}]}`},
		{`remount_ro("/a")`, `{"ops":[{"op":"remount_ro","dst":"/a"}]}`},
		{`chmod("/a", 0o644)`, `{"ops":[{"op":"chmod","dst":"/a","mode":"0644"}]}`},
		{`setenv("A", "b"); unsetenv("C", "D"); clearenv(keep = ["PATH"])`,
			`{"env":[{"op":"setenv","name":"A","value":"b"},{"op":"unsetenv","name":"C"},{"op":"unsetenv","name":"D"},{"op":"clearenv","keep":["PATH"]}]}`},
		{`clearenv(); pass_env("A", "B")`, `{"env":[{"op":"clearenv"},{"op":"pass_env","name":"A"},{"op":"pass_env","name":"B"}]}`},
		{`unset_secrets()`, `{}`},
		{`clearenv()`, `{"env":[{"op":"clearenv"}]}`},
		{`chdir("/x")`, `{"chdir":"/x"}`},
		{`chdir("/x"); same_dir()`, `{"same_dir":true}`},
		{`same_dir(); chdir("/x")`, `{"chdir":"/x"}`},
		{`hostname("box")`, `{"hostname":"box","unshare":{"uts":true}}`},
		{`umask(0o22)`, `{"umask":"0022"}`},
		{`command(["make", "-j2"])`, `{"command":["make","-j2"]}`},
		{`become_root()`, `{"identity":{"root":true}}`},
		{`map_user(5)`, `{"identity":{"gid":5,"uid":5}}`},
		{`map_user(5, "caller")`, `{"identity":{"uid":5}}`},
		{`map_user("caller", gid = 0)`, `{"identity":{"gid":0}}`},
		{`map_user(5, 0)`, `{"identity":{"gid":0,"uid":5}}`},
		{`map_ids([(1000, 1000, 1), (0, 7, 2)], [[1, 2, 3]])`,
			`{"identity":{"uids":[{"inside":1000,"outside":1000,"count":1},{"inside":0,"outside":7,"count":2}],"gids":[{"inside":1,"outside":2,"count":3}]}}`},
		{`capabilities("none", bounding = ["setuid", "SETGID"])`, `{"capabilities":{"set":"none","bounding":["CAP_SETGID","CAP_SETUID"]}}`},
		{`chmod("/a", 0o4755, uid = 0, gid = 5)`, `{"ops":[{"op":"chmod","dst":"/a","mode":"04755","uid":0,"gid":5}]}`},
		{`capabilities("none")`, `{"capabilities":{"set":"none"}}`},
		{`capabilities("all")`, `{"capabilities":{"set":"all"}}`},
		{`capabilities(keep = ["net_raw", "CAP_CHOWN", "cap_net_raw"])`, `{"capabilities":{"keep":["CAP_CHOWN","CAP_NET_RAW"],"set":"keep"}}`},
		{`capabilities(keep = [])`, `{"capabilities":{"set":"none"}}`},
		{`no_new_privs(False)`, `{"no_new_privs":false}`},
		{`no_new_privs()`, `{}`},
		{`unshare(net = True, pid = True); unshare(pid = False, time = True)`, `{"unshare":{"net":true,"time":true}}`},
		{`unshare(ipc = True, uts = True, cgroup = True)`, `{"unshare":{"cgroup":true,"ipc":true,"uts":true}}`},
		{`init(False)`, `{"init":false}`},
		{`die_with_parent(False)`, `{"die_with_parent":false}`},
		{`new_session()`, `{"new_session":true}`},
		{`scope_sockets(); scope_sockets(False)`, `{}`},
		{`scope_sockets()`, `{"scope_sockets":true}`},
		{`suppress_chown(); suppress_sync()`, `{"suppress_chown":true,"suppress_sync":true}`},
		{`rlimit("nofile", 10); rlimit("RLIMIT_CORE", 0, "unlimited"); rlimit("Nofile", 20, 30)`,
			`{"rlimits":[{"name":"RLIMIT_NOFILE","soft":20,"hard":30},{"name":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]}`},
		{`close_fd(5); close_fd(5); pass_fd(6); pass_fd(7); pack_fds()`, `{"close_fds":[5],"pack_fds":true,"pass_fds":[6,7]}`},
		{`param("a", default = 1, help = "h", choices = [1, 2])`,
			`{"params":[{"choices":[1,2],"default":1,"help":"h","name":"a","type":"int","value":1}]}`},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		p, err := evalText(tt.src)
		if err != nil {
			t.Errorf("%s: %v", tt.src, err)
			continue
		}
		if got := brief(t, p); normal(t, got) != normal(t, tt.want) {
			t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
		}
		for i := range Builtins {
			if strings.Contains(tt.src, Builtins[i].Name+"(") {
				seen[Builtins[i].Name] = true
			}
		}
	}
	for i := range Builtins {
		if b := &Builtins[i]; b.planned && !seen[b.Name] && b.Name != "project" { // see layers_test.go
			t.Errorf("%s has no test", b.Name)
		}
	}
}

// normal is j with the keys of objects in order.
func normal(t *testing.T, j string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(j))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", j, err)
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// Each setting records its position under its name.
func TestWhere(t *testing.T) {
	p, err := evalText("\n\nbecome_root()\n  \nunshare(net = True, pid = False)\nif True:\n    hostname(\"x\")\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"become_root": "t.star:3:1", "unshare.net": "t.star:5:1", "unshare.pid": "t.star:5:1", "hostname": "t.star:7:5"}
	for k, pos := range want {
		if got := p.Where[k].Pos.String(); got != pos {
			t.Errorf("%s at %q, want %s", k, got, pos)
		}
	}
	if len(p.Where) != len(want) {
		t.Errorf("Where = %v", p.Where)
	}
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for i := range Builtins {
		b := &Builtins[i]
		if seen[b.Name] {
			t.Errorf("%s is there twice", b.Name)
		}
		seen[b.Name] = true
		if b.Doc == "" || b.Group == "" || !strings.HasSuffix(b.Doc, ".") && !strings.HasSuffix(b.Doc, "…") {
			t.Errorf("%s: doc %q, group %q", b.Name, b.Doc, b.Group)
		}
		if (b.fn == nil) == (b.value == nil) {
			t.Errorf("%s is neither function nor value", b.Name)
		}
		if len(b.spec.args) > maxArgs || b.spec.pos > len(b.spec.args) {
			t.Errorf("%s: bad spec", b.Name)
		}
		for _, a := range b.spec.args {
			if a.name == "" || a.kind == 0 {
				t.Errorf("%s: bad argument %v", b.Name, a)
			}
		}
		if Lookup(b.Name) != b {
			t.Errorf("Lookup(%s)", b.Name)
		}
	}
	for name, want := range map[string]string{
		"bind":     "bind(src, dst = src, *, ro = False, optional = False, follow = True, inside = False, dev = None, create = False, follow_dst = False, chase = False, parent_mode = None, suid = False, foreign = False, create_src = False)",
		"mask":     "mask(*paths, optional = False)",
		"unshare":  "unshare(*, net = False, ipc = False, pid = False, uts = False, cgroup = False, time = False, user = False)",
		"same_dir": "same_dir(*, optional = False)",
		"host":     "host",
		"unsetenv": "unsetenv(*names)",
		"chmod":    "chmod(path, mode, *, uid = None, gid = None)",
	} {
		if got := Lookup(name).Signature(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
