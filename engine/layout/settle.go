package layout

// Settled: a plan in which each operation says where it lands.

import (
	"slices"
	"strings"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// Settled returns the plan p, which l is the layout of, with destinations that no
// symlink is on the way to, for those who put operations into the order of their
// destinations without looking at what is there. What is replaced by a later
// operation is left out; what has no place, such as an optional bind whose source
// is missing, stays as it is, as far as symlinks do not tell otherwise.
func (l *Layout) Settled(p *plan.Plan) *plan.Plan {
	if p.Order == plan.OrderGiven {
		return p
	}
	q := *p
	q.Ops = make([]plan.Op, 0, len(p.Ops))
	done := make(map[int]bool, len(p.Ops))
	at := map[string]bool{}
	put := func(s *Step) {
		done[s.Index] = true
		switch s.Op.Kind {
		case plan.Mkdir, plan.Chmod, plan.RemountRO:
			if s.Done && at[s.Target.Path] && s.Op.Kind == plan.Mkdir {
				return // the directory of another operation
			}
		default:
			at[s.Target.Path] = true
		}
		o := *s.Op
		if s.Target.Path != "" && clean(string(o.Dst)) != s.Target.Path {
			o.Dst = plan.Str(s.Target.Path)
		}
		q.Ops = append(q.Ops, o)
	}
	if l.Root != nil {
		put(l.Root)
	}
	for _, s := range l.Steps {
		put(s)
	}
	b := l.tree
	kept := map[int]bool{}
	for _, s := range b.order(p, nil) {
		kept[s.Index] = true
	}
	for i := range p.Ops {
		o := p.Ops[i]
		if done[i] || !kept[i] && !b.absent(&o) {
			continue
		}
		if dst := string(o.Dst); strings.HasPrefix(dst, "/") && !slices.Contains(components(dst), "..") && clean(dst) != "/" {
			if f := b.walk(clean(dst), false); f.errno == 0 && !slices.Contains(f.rest, "..") {
				path := f.path
				for _, c := range f.rest {
					path = join(path, c)
				}
				o.Dst = plan.Str(path)
			}
		}
		q.Ops = append(q.Ops, o)
	}
	return &q
}

// Specials returns the destinations, as Settled has them, of binds of what is
// neither a directory nor a regular file to where nothing is.
func (l *Layout) Specials() map[string]bool {
	list := map[string]bool{}
	for _, s := range l.Steps {
		if s.Op.Kind != plan.Bind || s.Dir || s.Op.Inside || s.Target.Exists != host.Missing {
			continue
		}
		if k := l.tree.source(s.Op).Type; k == host.Device || k == host.Other {
			list[s.Target.Path] = true
		}
	}
	return list
}

// Beyond is an operation that takes more than doing one after another: a place that
// is added to a read-only tree of the host, that of In, or a symlink over what is
// there, where In is nil.
type Beyond struct {
	Op *plan.Op
	At string // its place, as Settled has it
	In *plan.Op
}

// Beyond returns such operations of a plan in the order of a tree.
func (l *Layout) Beyond() []Beyond {
	added := map[string]*plan.Op{}
	note := func(s *Step) {
		for _, e := range s.Extra {
			added[join(s.Target.Path, e.Rel)] = s.Op
		}
		for _, sk := range s.Skeletons {
			for _, e := range sk.Entries {
				added[join(sk.Path, e.Rel)] = s.Op
			}
		}
	}
	if l.Root != nil {
		note(l.Root)
	}
	for _, s := range l.Steps {
		note(s)
	}
	var list []Beyond
	for _, s := range l.Steps {
		switch in := added[s.Target.Path]; {
		case s.Op.Kind == plan.Chmod || s.Op.Kind == plan.RemountRO || s.Op.Kind == plan.Mask:
		case in != nil:
			list = append(list, Beyond{s.Op, s.Target.Path, in})
		case s.Op.Kind == plan.Symlink && !s.Done && s.Target.Exists != host.Missing:
			list = append(list, Beyond{Op: s.Op, At: s.Target.Path})
		}
	}
	return list
}
