// Package hosttest makes facts of hosts that exist in tests only.
package hosttest

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"sbx/engine/host"
)

var types = map[string]host.FileType{
	"dir": host.Dir, "file": host.File, "device": host.Device, "whiteout": host.Whiteout, "other": host.Other, "denied": host.Unknown,
}

// Facts returns the facts of a host, seen by an ordinary user, with the files of
// list. Each is a path, and after it a type (dir, file, device, whiteout, other,
// denied) or "-> TARGET", then a mode in octal. A trailing "mount" makes it a
// mount point. Directories above need no mention. All is on one file system. The
// working directory is /: what is there is found by its relative path as well.
func Facts(list ...string) *host.Facts {
	f := &host.Facts{
		UID: 1000, GID: 1000, Arch: "amd64",
		Env:   []string{"PATH=/usr/bin", "HOME=/home/me", "PWD=/home/me", "OLDPWD=/"},
		Paths: map[string]host.Path{}, FileSys: map[string]host.FS{}, Dirs: map[string][]host.Entry{},
		MountPts: []string{"/"},
	}
	add(f, "/", host.Path{Type: host.Dir, Mode: 0o755})
	for _, line := range list {
		w := strings.Fields(line)
		name, p := w[0], host.Path{Type: host.Dir, Mode: 0o755}
		w = w[1:]
		if len(w) > 1 && w[0] == "->" {
			p, w = host.Path{Type: host.Symlink, Target: w[1], Mode: 0o777}, w[2:]
		}
		for _, v := range w {
			if t, ok := types[v]; ok {
				p.Type = t
				if t == host.Unknown {
					p = host.Path{Type: t, Err: syscall.EACCES}
				}
			} else if v == "mount" {
				f.MountPts = append(f.MountPts, name)
			} else if n, err := strconv.ParseUint(v, 8, 32); err == nil {
				p.Mode = uint32(n)
			} else {
				panic("hosttest: " + line)
			}
		}
		add(f, name, p)
	}
	slices.Sort(f.MountPts)
	return f
}

func add(f *host.Facts, name string, p host.Path) {
	if _, ok := f.Paths[name]; !ok && name != "/" {
		dir, base := path.Split(name)
		if dir != "/" {
			dir = strings.TrimSuffix(dir, "/")
		}
		if _, ok := f.Paths[dir]; !ok {
			add(f, dir, host.Path{Type: host.Dir, Mode: 0o755})
		}
		list := append(f.Dirs[dir], host.Entry{Name: base, Path: p})
		slices.SortFunc(list, func(x, y host.Entry) int { return strings.Compare(x.Name, y.Name) })
		f.Dirs[dir] = list
	}
	f.Paths[name] = p
	fs := host.FS{Dev: 1, Ino: uint64(len(f.FileSys) + 1), MountID: 1}
	f.FileSys[name] = fs
	relative := cmp.Or(name[1:], ".")
	f.Paths[relative], f.FileSys[relative] = p, fs
	if p.Type == host.Dir && name != "/" {
		f.FileSys[name+"/"] = fs
	}
}
