package layout

// The walk: what is at a path of the sandbox, at this point of its making.

import (
	"syscall"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// found is where a walk ended.
type found struct {
	path  string        // canonical path of the deepest thing that exists
	kind  host.FileType // what it is
	rest  []string      // components that do not exist
	next  string        // path of the first of them
	errno syscall.Errno // why the walk could not go on
	bad   string        // the path where that happened

	dangling bool // a symlink on the way leads to what does not exist
}

// exists reports whether the whole path exists.
func (f found) exists() bool { return f.errno == 0 && len(f.rest) == 0 }

const maxLinks = 40 // as the kernel, path_resolution(7)

// walk resolves path in the sandbox. A symlink at its end is followed if follow
// is set.
func (b *builder) walk(path string, follow bool) found {
	cur, kind := "/", host.Dir
	todo := components(path)
	at := 0 // where in path cur ends; -1 once a symlink or ".." has led elsewhere
	r := b.regionOf(cur)
	links := 0
	fromLink := 0 // how many of todo come from a symlink
	for i := 0; i < len(todo); i++ {
		name := todo[i]
		if kind != host.Dir {
			return found{path: cur, kind: kind, errno: syscall.ENOTDIR, bad: cur}
		}
		if name == ".." {
			if cur != "/" {
				cur, _ = split(cur)
				r = b.regionOf(cur)
			}
			at = -1
			continue
		}
		next := ""
		if end := at + 1 + len(name); at >= 0 && end <= len(path) && path[at] == '/' && path[at+1:end] == name {
			next, at = path[:end], end // needs no memory of its own
		} else {
			next, at = join(cur, name), -1
		}
		p, target := b.lookup(r, next)
		switch p.Type {
		case host.Missing:
			return found{path: cur, kind: kind, rest: todo[i:], next: next, dangling: i < fromLink}
		case host.Unknown:
			return found{path: cur, kind: kind, errno: p.Err, bad: next}
		case host.Symlink:
			if i == len(todo)-1 && !follow {
				return found{path: next, kind: host.Symlink}
			}
			if links++; links > maxLinks {
				return found{path: cur, kind: kind, errno: syscall.ELOOP, bad: next}
			}
			if b.follows != nil {
				*b.follows = append(*b.follows, next)
			}
			if target != "" && target[0] == '/' {
				cur, r = "/", b.regionOf("/")
			}
			part := components(target)
			fromLink = len(part) + max(0, fromLink-i-1)
			todo = append(part, todo[i+1:]...)
			i, kind, at = -1, host.Dir, -1
			continue
		}
		cur, kind = next, p.Type
		if n := b.nodes[cur]; n != nil && n.mount != nil || r.alias != "" {
			r = b.regionOf(cur)
		}
	}
	return found{path: cur, kind: kind}
}

func components(p string) []string {
	n := 0
	for i := range len(p) {
		if p[i] == '/' {
			n++
		}
	}
	list := make([]string, 0, n+1)
	for i := 0; i < len(p); {
		j := i
		for j < len(p) && p[j] != '/' {
			j++
		}
		if c := p[i:j]; c != "" && c != "." {
			list = append(list, c)
		}
		i = j + 1
	}
	return list
}

// lookup returns what is at path, in a canonical directory that lies in r.
func (b *builder) lookup(r *region, path string) (host.Path, string) {
	if n := b.nodes[path]; n != nil {
		return host.Path{Type: n.kind}, n.target
	}
	if r.alias != "" {
		return b.entry(rebase(path, r.path, r.alias))
	}
	if r.isOverlay() {
		dir, name := split(path)
		for _, d := range b.merged(r, dir) {
			if p := b.facts.Lstat(join(d, name)); p.Type == host.Whiteout {
				break
			} else if p.Type != host.Missing {
				return p, p.Target
			}
		}
	} else if len(r.layers) > 0 {
		p := b.facts.Lstat(join(r.layers[0], below(path, r.path)))
		return p, p.Target
	}
	return host.Path{}, ""
}

// entry returns what is at path, in a canonical directory.
func (b *builder) entry(path string) (host.Path, string) {
	dir, _ := split(path)
	return b.lookup(b.regionOf(dir), path)
}

func (r *region) isOverlay() bool { return r.step != nil && r.step.Op.Kind == plan.Overlay }

// merged returns the directories on the host, top first, that an overlay merges
// at its canonical directory dir. What is no directory ends the list: it hides
// what lies below it.
func (b *builder) merged(r *region, dir string) []string {
	if dir == r.path {
		return r.layers
	}
	if list, ok := r.merged[dir]; ok {
		return list
	}
	var list []string
	parent, name := split(dir)
	for _, d := range b.merged(r, parent) {
		d = join(d, name)
		p := b.facts.Lstat(d)
		if p.Type == host.Dir {
			list = append(list, d)
		} else if p.Type != host.Missing {
			break
		}
	}
	if r.merged == nil {
		r.merged = map[string][]string{}
	}
	r.merged[dir] = list
	return list
}

// regionOf returns the mount that the canonical directory dir lies in.
func (b *builder) regionOf(dir string) *region {
	for at := dir; at != "/"; at, _ = split(at) {
		if n := b.nodes[at]; n != nil && n.mount != nil {
			return b.through(n.mount, dir)
		}
	}
	return b.root
}

// through returns the mount that dir, in a bind of a part of the sandbox, lies
// in: what is mounted below the source is there too.
func (b *builder) through(r *region, dir string) *region {
	if r.alias == "" {
		return r
	}
	src := rebase(dir, r.path, r.alias)
	if plan.Within(src, r.path) { // the bind does not show itself
		return &region{path: r.path, place: r.place, step: r.step}
	}
	from := b.regionOf(src)
	v := &region{path: r.path, place: from.place, step: r.step, masked: from.masked, alias: r.alias, ro: r.ro}
	if r.ro {
		v.place = ReadOnly
	}
	if plan.Within(from.path, r.alias) {
		v.path, v.alias = rebase(from.path, r.alias, r.path), from.path
	}
	return v
}

// node returns what the plan put at a canonical path, perhaps by another name.
func (b *builder) node(path string) *node {
	for {
		if n := b.nodes[path]; n != nil || path == "/" {
			return n
		}
		dir, _ := split(path)
		r := b.regionOf(dir)
		if r.alias == "" {
			return nil
		}
		path = rebase(path, r.path, r.alias)
	}
}
