//go:build linux

package enginetest

// The library pipeline in a process of its own, with a program that is changed
// on the way, to get at what this kernel would not do by itself.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"sbx/engine/compile"
	"sbx/engine/enginetest/box"
	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/run"
	"sbx/engine/validate"
)

// changes are made to a compiled program.
var changes = map[string]func(p *program.Program){
	// The source of the last operation is gone when it is its turn.
	"source-gone": func(p *program.Program) {
		switch op := &p.Plan.Ops[len(p.Plan.Ops)-1]; op.Kind {
		case plan.Overlay:
			os.RemoveAll(string(op.Lower[0]))
		default:
			os.RemoveAll(string(op.Src))
		}
	},
	// Linux 6.5 and 6.6: overlayfs has the new mount API, but no lowerdir+.
	"no-lowerdir+": func(p *program.Program) {
		p.Arena = bytes.ReplaceAll(p.Arena, []byte("lowerdir+\x00"), []byte("lowerdir_\x00"))
	},
	// Before: the old code behind the new API, which takes anything and then fails.
	"no-create": func(p *program.Program) {
		overlay := false
		for i := range p.Insts {
			in := &p.Insts[i]
			switch {
			case in.Call == program.Fsopen:
				overlay = bytes.HasPrefix(p.Arena[in.Args[0]:], []byte("overlay\x00"))
			case in.Call == program.Fsconfig && overlay && in.Args[1] == 6: // FSCONFIG_CMD_CREATE
				in.Args[2] = 1 // a key, which it must not have: EINVAL
			}
		}
	},
}

func init() {
	// library CHANGE PLAN runs a plan.
	probes["library"] = func(args []string) int {
		p, err := readPlan(args[1])
		if err != nil {
			return fail(err)
		}
		f := host.Live(p)
		l, diags := validate.Check(p, f)
		if diags.HasErrors() {
			return fail(diags)
		}
		prog, err := compile.Compile(p, l, f, compile.Options{})
		if err != nil {
			return fail(err)
		}
		changes[args[0]](prog)
		st, err := run.Run(prog)
		var failure *run.Failure
		if errors.As(err, &failure) {
			d, code := explain.Failure(prog, f, err)
			fmt.Fprintf(os.Stderr, "%s: %s: %s\n", d.At.Pos, d.Op, d.Msg)
			return code
		}
		if err != nil {
			return fail(err)
		}
		return st.ExitStatus()
	}
}

// library runs a plan with a changed program.
func (w who) library(t testing.TB, change string, p *plan.Plan) box.Result {
	t.Helper()
	return box.Finish(t, w.Command(t, probeBin, "probe:library", change, w.planFile(t, p)))
}

func TestOverlayOldKernels(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, change := range []string{"no-lowerdir+", "no-create"} {
			for i, name := range strange {
				d := w.disk(t) + "/" + name
				w.Write(t, d+"/low/low", "low")
				w.Write(t, d+"/mid/mid", "mid")
				up := w.Mkdir(t, d+"/up")
				p := scriptPlan(t, w, base())
				lower := []plan.Str{plan.Str(d + "/low"), plan.Str(d + "/mid")}
				p.Ops = append(p.Ops,
					plan.Op{Kind: plan.Overlay, Dst: "/ov", Lower: lower, Upper: plan.Str(up)},
					plan.Op{Kind: plan.Overlay, Dst: "/ro", Lower: lower},
					plan.Op{Kind: plan.Overlay, Dst: "/mem", Lower: lower[:1], UpperTmpfs: true})
				p.Command = []plan.Str{"sh", "-c", "cd /ov && cat low mid && echo up >up && ls; cat /ro/mid; touch /ro/x 2>/dev/null; echo x >/mem/x && cat /mem/x /mem/low"}
				r := w.library(t, change, p)
				if r.Code != 0 || r.Out != "lowmidlow\nmid\nup\nmidx\nlow" {
					t.Errorf("%s %d: %q: %s", change, i, name, r)
				}
				if b, err := os.ReadFile(up + "/up"); err != nil || string(b) != "up\n" {
					t.Errorf("%q: %q, %v", name, b, err)
				}
			}
			// As many layers as the kernel takes, whose paths would fill more than one page.
			p := scriptPlan(t, w, base())
			d := w.disk(t)
			var lower []plan.Str
			for i := range 499 {
				lower = append(lower, plan.Str(w.Mkdir(t, d+"/"+strings.Repeat("x", 100)+itoa(i))))
				w.Mkdir(t, string(lower[i])+"/"+itoa(i))
			}
			p.Ops = append(p.Ops,
				plan.Op{Kind: plan.Overlay, Dst: "/ov", Lower: lower, Upper: plan.Str(w.Mkdir(t, d+"/up"))},
				plan.Op{Kind: plan.Overlay, Dst: "/exact", Lower: lower, Exact: true})
			p.Command = []plan.Str{"sh", "-c", "ls /ov | wc -l; ls /exact | wc -l"}
			if r := w.library(t, change, p); r.Code != 0 || strings.Join(strings.Fields(r.Out), " ") != "499 499" {
				t.Errorf("%s: %s", change, r)
			}
			// A symlink on the way to a layer is not followed where that is asked for.
			box.Must(t, os.Symlink(string(lower[0]), d+"/link"))
			p.Ops = append(p.Ops, plan.Op{Kind: plan.Overlay, Dst: "/no", Lower: []plan.Str{plan.Str(d + "/link"), lower[1]}, Exact: true})
			wantError(t, w.library(t, change, p), 125, "too many levels of symbolic links")
		}
	})
}
