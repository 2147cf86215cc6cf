package mkosi

// The order of the operations, and the binds that others make needless.

import (
	"slices"
	"strings"

	"sbx/engine/plan"
)

// order returns the operations as they are to be done: by destination, parents
// first, binds after all else at the same destination, and binds of parts of the
// sandbox at the very end.
func order(rest, binds []*plan.Op) []*plan.Op {
	ops := append(append(make([]*plan.Op, 0, len(rest)+len(binds)), rest...), merge(binds)...)
	slices.SortStableFunc(ops, compare)
	return ops
}

func compare(x, y *plan.Op) int {
	if x.Inside != y.Inside {
		if y.Inside {
			return -1
		}
		return 1
	}
	return plan.ComparePaths(string(x.Dst), string(y.Dst))
}

// bindKey is what makes two binds the same one.
type bindKey struct {
	src, dst               plan.Str
	ro, optional, nofollow bool
}

func keyOf(o *plan.Op) bindKey { return bindKey{o.Src, o.Dst, o.RO, o.Optional, o.NoFollow} }

// merge leaves out binds that are the same as an earlier one, and those that
// show a part of what another one of the same kind shows at the same place.
func merge(binds []*plan.Op) []*plan.Op {
	// A bind of a part of the sandbox covers only others such.
	type key struct {
		bindKey
		inside bool
	}
	seen := make(map[bindKey]bool, len(binds))
	all := make(map[key]bool, len(binds))
	var once []*plan.Op
	for _, o := range binds {
		if k := keyOf(o); !seen[k] {
			seen[k] = true
			all[key{k, o.Inside}] = true
			once = append(once, o)
		}
	}
	return slices.DeleteFunc(once, func(o *plan.Op) bool {
		k := key{keyOf(o), o.Inside}
		for {
			src, a := parent(string(k.src))
			dst, b := parent(string(k.dst))
			if a == "" || a != b {
				return false
			}
			k.src, k.dst = plan.Str(src), plan.Str(dst)
			if all[k] {
				return true
			}
		}
	})
}

// parent splits the last component off a clean absolute path; of "/" it is "".
func parent(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	if i == 0 {
		return "/", p[1:]
	}
	return p[:i], p[i+1:]
}

// covers reports whether bind x shows at o's destination what bind o would.
func covers(x, o *plan.Op) bool {
	if x.Kind != plan.Bind || x.Inside != o.Inside {
		return false
	}
	k, want := keyOf(o), keyOf(x)
	for k != want {
		src, a := parent(string(k.src))
		dst, b := parent(string(k.dst))
		if a == "" || a != b {
			return false
		}
		k.src, k.dst = plan.Str(src), plan.Str(dst)
	}
	return true
}
