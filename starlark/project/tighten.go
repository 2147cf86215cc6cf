package project

// Whether a file only tightens: the plan with it, compared to that without.

import (
	"bytes"
	"encoding/json"
	"time"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// tightens evaluates the project's file without letting it look at the host, and
// reports whether all it does is to take something away. l has the layers below.
// The layers returned have the file in addition. The faults are those of the file
// itself, which it has whatever it would see.
func (r *run) tightens(l *eval.Layers, user []byte) (*eval.Layers, bool, plan.Diagnostics) {
	opt := r.o.Eval
	r.o.Eval.Print, r.o.Eval.MaxSteps, r.o.Eval.MaxTime = nil, 5_000_000, 5*time.Second // it is anybody's
	with := r.begin(user)
	looked := false
	r.addProject(with, blind{r.host(), &looked})
	calls := len(with.Calls())
	r.o.Eval = opt
	if ds := with.Faults(); ds.HasErrors() {
		with.Close()
		if looked || l.Faults().HasErrors() {
			ds = nil
		}
		return l, false, ds
	}
	if looked || len(with.Modules()) > len(l.Modules())+len(r.Files.Files)-1 {
		with.Close()
		return l, false, nil
	}
	for _, c := range with.Calls()[len(l.Calls()):calls] {
		// What is not an exclusion overrides what the user said, or opens.
		c.ExcludedPaths, c.At = nil, plan.Origin{}
		if c.AllowSettings != nil || c.ExtraDataPaths != nil || c.RefuseIfExists != nil || c.Command != nil || c.TrustedDirs != nil {
			with.Close()
			return l, false, nil
		}
	}
	if !Tighter(with.Plan(), l.Plan()) {
		with.Close()
		return l, false, nil
	}
	l.Close()
	return with, true, nil
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
	return q.Digest() == base.Digest()
}

// tight reports whether an operation is one that only takes away: without any
// option that could do more.
func tight(op *plan.Op) bool {
	bare := plan.Op{Kind: op.Kind, Dst: op.Dst, Optional: op.Optional}
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
