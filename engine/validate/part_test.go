package validate

import (
	"testing"

	"sbx/engine/plan"
)

// TestCheckPart has plans without one of their calls. What only that call made
// sound is no fault; what is wrong with another call by itself is.
func TestCheckPart(t *testing.T) {
	missing := op(plan.Bind, src("/no"), dst("/no"), func(o *plan.Op) { o.At = at(1) })
	const told = `bind: source "/no" does not exist on the host | pass optional = True to skip it when it is missing, or create_src = True to have a directory made there`
	for _, tt := range []struct {
		name   string
		lacks  []string
		change func(*plan.Plan)
		whole  bool // it is sound but for missing
	}{
		{"remount_ro of what tmpfs makes", []string{"tmpfs"}, func(p *plan.Plan) { p.Ops = append(p.Ops, op(plan.RemountRO, dst("/t"))) }, false},
		{"chmod of what mkdir makes", []string{"mkdir"}, func(p *plan.Plan) { p.Ops = append(p.Ops, op(plan.Chmod, dst("/t"), mode(0o700))) }, false},
		{"a bind of what write makes", []string{"write"}, func(p *plan.Plan) {
			p.Ops = append(p.Ops, op(plan.Bind, src("/t"), dst("/u"), func(o *plan.Op) { o.Inside = true }))
		}, false},
		{"a place in what overlay shows", []string{"overlay"}, func(p *plan.Plan) {
			p.Ops = append(p.Ops, op(plan.Bind, src("/usr"), dst("/usr")), op(plan.Tmpfs, dst("/usr/new")))
		}, false},
		{"mqueue without its namespace", []string{"unshare"}, func(p *plan.Plan) { p.Ops = append(p.Ops, op(plan.Mqueue)) }, false},
		{"a .. that only the order given has", []string{"order"}, func(p *plan.Plan) { p.Ops = append(p.Ops, op(plan.Tmpfs, dst("/a/../b"))); p.Dir = "/a/../b" }, false},
		{"a name without its namespace", []string{"unshare"}, func(p *plan.Plan) { p.Hostname = "x" }, false},
		{"a directory that is chosen again", []string{"chdir"}, func(p *plan.Plan) { p.Dir = "rel" }, false},
		{"a directory that same_dir replaces", []string{"same_dir"}, func(p *plan.Plan) { p.Dir = "rel" }, false},
		{"a directory that mkdir makes", []string{"mkdir"}, func(p *plan.Plan) { p.Dir = "/t" }, false},
		{"capabilities that are chosen again", []string{"capabilities"}, func(p *plan.Plan) { p.Caps.Set = "some" }, false},
		{"a variable that is unset", []string{"unsetenv"}, func(p *plan.Plan) { p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: str(1 << 18)}} }, false},
		{"an argument that the order given leaves to execve", []string{"order"}, func(p *plan.Plan) { p.Command = []plan.Str{"a", str(1 << 18)} }, false},
		{"anything", nil, func(p *plan.Plan) {
			p.Ops = append(p.Ops, op(plan.RemountRO, dst("/t")), op(plan.Mqueue, dst("/q")), op(plan.Tmpfs, dst("/a/../b")))
			p.Dir, p.Hostname, p.Caps.Set = "rel", "x", "some"
		}, false},

		{"a limit has no part in the tree", []string{"rlimit", "setenv"}, func(p *plan.Plan) { p.Ops = append(p.Ops, op(plan.Tmpfs, dst("/t"))) }, true},
	} {
		p := plan.New()
		p.Ops = []plan.Op{missing}
		tt.change(p)
		if _, ds := Check(p, world()); !tt.whole && len(ds) < 2 && p.Dir == "" { // of the directory Check speaks last
			t.Errorf("%s: Check: %v", tt.name, ds)
		}
		check(t, CheckPart(p, world(), tt.lacks), told, at(1))
	}

	// The faults of a tree that is whole are told.
	p := plan.New()
	p.Ops = []plan.Op{op(plan.RemountRO, dst("/t")), op(plan.Copy, src("/usr"), dst("/c"))}
	check(t, CheckPart(p, world(), []string{"rlimit"}), `copy: source "/usr" is a directory | bind() or overlay() take directories
remount_ro: "/t" does not exist in the sandbox`, plan.Origin{})
	check(t, CheckPart(p, world(), []string{"bind"}), `copy: source "/usr" is a directory | bind() or overlay() take directories`, plan.Origin{})
}
