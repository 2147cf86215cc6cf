package layout

// The walk: what is at a path of the sandbox, at this point of its making.

import (
	"syscall"

	"sbx/engine/host"
)

// found is where a walk ended.
type found struct {
	path  string        // canonical path of the deepest thing that exists
	kind  host.FileType // what it is
	rest  []string      // components that do not exist
	errno syscall.Errno // why the walk could not go on
	bad   string        // the path where that happened
}

// exists reports whether the whole path exists.
func (f found) exists() bool { return f.errno == 0 && len(f.rest) == 0 }

const maxLinks = 40 // as the kernel, path_resolution(7)

// walk resolves path in the sandbox. A symlink at its end is followed if follow
// is set.
func (b *builder) walk(path string, follow bool) found {
	cur, kind := "/", host.Dir
	todo := components(path)
	links := 0
	for i := 0; i < len(todo); i++ {
		name := todo[i]
		if name == ".." {
			if cur != "/" {
				cur, _ = split(cur)
			}
			continue
		}
		if kind != host.Dir {
			return found{path: cur, kind: kind, errno: syscall.ENOTDIR, bad: cur}
		}
		p, target := b.lookup(cur, name)
		next := join(cur, name)
		switch p.Type {
		case host.Missing:
			return found{path: cur, kind: kind, rest: todo[i:]}
		case host.Unknown:
			return found{path: cur, kind: kind, errno: p.Err, bad: next}
		case host.Symlink:
			if i == len(todo)-1 && !follow {
				return found{path: next, kind: host.Symlink}
			}
			if links++; links > maxLinks {
				return found{path: cur, kind: kind, errno: syscall.ELOOP, bad: next}
			}
			if target != "" && target[0] == '/' {
				cur = "/"
			}
			todo = append(components(target), todo[i+1:]...)
			i, kind = -1, host.Dir
			continue
		}
		cur, kind = next, p.Type
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

// lookup returns what name is in the canonical directory dir.
func (b *builder) lookup(dir, name string) (host.Path, string) {
	full := join(dir, name)
	if n := b.nodes[full]; n != nil {
		return host.Path{Type: n.kind}, n.target
	}
	r := b.regionOf(dir)
	rel := below(full, r.path)
	for _, layer := range r.layers {
		p := b.facts.Lstat(join(layer, rel))
		if p.Type == host.Device && len(r.layers) > 1 {
			// perhaps a whiteout, overlay's mark of a deletion
			if p.Mode == 0 {
				return host.Path{}, ""
			}
		}
		if p.Type != host.Missing {
			return p, p.Target
		}
	}
	return host.Path{}, ""
}

// regionOf returns the mount that the canonical directory dir lies in.
func (b *builder) regionOf(dir string) *region {
	for {
		if n := b.nodes[dir]; n != nil && n.mount != nil {
			return n.mount
		}
		if dir == "/" {
			return b.root
		}
		dir, _ = split(dir)
	}
}
