package project

// Whether a file only tightens: the plan with it, compared to that without.

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// tightened is what became of a file that is not trusted.
type tightened struct {
	with   *eval.Layers     // the layers with it, where all it does is to take something away
	why    string           // else what it does
	faults plan.Diagnostics // of the file itself, which it has whatever it would see
}

// tightens evaluates the project's file without letting it look at the host. l
// has the layers below.
func (r *run) tightens(l *eval.Layers, user []byte) tightened {
	if r.Files.outside(r.Dir) {
		return tightened{why: "loads what is not a file of the project"}
	}
	opt := r.o.Eval
	r.o.Eval.Print, r.o.Eval.MaxSteps, r.o.Eval.MaxTime = nil, 5_000_000, 5*time.Second // it is anybody's
	with := r.begin(user)
	looked := false
	r.evaluateFile(with, blind{r.host(), &looked})
	r.o.Eval = opt
	why := ""
	switch ds := beyond(with.Faults(), l.Faults()); {
	case looked:
		why = "looks at the host"
	case ds.HasErrors():
		with.Close()
		return tightened{why: "has faults", faults: ds}
	case len(with.Modules()) > len(l.Modules())+len(r.Files.Files)-1:
		why = "loads what is not a file of the project"
	case overrides(with.Calls()[len(l.Calls()):]) || !Tighter(with.Plan(), l.Plan()):
		why = "opens the sandbox further than it is without"
	default:
		l.Close()
		return tightened{with: with}
	}
	with.Close()
	return tightened{why: why}
}

// beyond returns the diagnostics among ds that are not among base.
func beyond(ds, base plan.Diagnostics) plan.Diagnostics {
	var out plan.Diagnostics
	for _, d := range ds {
		if !slices.ContainsFunc(base, func(b plan.Diagnostic) bool { return b.At.Pos == d.At.Pos && b.Msg == d.Msg }) {
			out = append(out, d)
		}
	}
	return out
}

// overrides reports whether calls of project() do more than to exclude: that
// overrides what the user said, or opens.
func overrides(calls []eval.ProjectCall) bool {
	for _, c := range calls {
		if c.AllowSettings != nil || c.ExtraDataPaths != nil || c.RefuseIfExists != nil || c.Command != nil || c.TrustedDirs != nil {
			return true
		}
	}
	return false
}

// Tighter reports whether plan p differs from base only in what takes away from
// the sandbox: paths that are masked or read-only, and namespaces of its own.
func Tighter(p, base *plan.Plan) bool {
	for _, op := range added(p, base) {
		if op == nil || !tight(op) {
			return false
		}
	}
	q := *p
	q.Ops = base.Ops
	for _, ns := range [...]struct {
		p    *bool
		base bool
	}{
		{&q.Unshare.Net, base.Unshare.Net}, {&q.Unshare.IPC, base.Unshare.IPC}, {&q.Unshare.PID, base.Unshare.PID},
		{&q.Unshare.UTS, base.Unshare.UTS}, {&q.Unshare.Cgroup, base.Unshare.Cgroup},
	} {
		if *ns.p && !ns.base {
			*ns.p = false
		}
	}
	return plan.Same(&q, base)
}

// tight reports whether an operation is one that only takes away: without any
// option that could do more.
func tight(op *plan.Op) bool {
	bare := plan.Op{Kind: op.Kind, Dst: op.Dst, Optional: op.Optional, Recursive: op.Recursive}
	return (op.Kind == plan.Mask || op.Kind == plan.RemountRO) && sameOp(op, &bare)
}

// added returns the operations that p has beside those of base, which it has in
// the same order; a nil stands for one of base that p lacks.
func added(p, base *plan.Plan) []*plan.Op {
	var out []*plan.Op
	i := 0
	for j := range p.Ops {
		if i < len(base.Ops) && sameOp(&p.Ops[j], &base.Ops[i]) {
			i++
			continue
		}
		out = append(out, &p.Ops[j])
	}
	if i < len(base.Ops) {
		out = append(out, nil)
	}
	return out
}

// sameOp reports whether two operations do the same.
func sameOp(a, b *plan.Op) bool {
	if a.Kind != b.Kind || a.Dst != b.Dst || a.Src != b.Src {
		return false
	}
	x, y := *a, *b
	x.At, y.At = plan.Origin{}, plan.Origin{}
	xb, err1 := json.Marshal(x)
	yb, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && bytes.Equal(xb, yb)
}
