package layout

import (
	"strings"
	"testing"

	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

// peer gives an operation what the peers' front ends give all of theirs.
func peer(o plan.Op) plan.Op {
	o.Create, o.Follow = true, true
	return o
}

func through(o plan.Op) plan.Op {
	o.Content = plan.ContentThrough
	return peer(o)
}

func TestGivenOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		ops  []plan.Op
		want string
	}{
		{"kept, and the later hides", []plan.Op{peer(op("tmpfs", "/a/b")), peer(op("mkdir", "/a/b/c")), peer(op("tmpfs", "/a")), peer(op("mkdir", "/a/b/c"))}, `
tmpfs /a/b own dir make /a
mkdir /a/b/c own dir
tmpfs /a own dir over dir
mkdir /a/b/c own dir make /a/b`},
		{"several at one place", []plan.Op{peer(op("tmpfs", "/a")), peer(bind("/usr", "/a")), peer(op("mkdir", "/a/lib"))}, `
tmpfs /a own dir
bind /a own dir over dir
mkdir /a/lib writable dir over dir done`},
		{"the root first", []plan.Op{peer(bind("/", "/", "ro")), peer(op("tmpfs", "/usr"))}, `
root bind / own dir over dir
tmpfs /usr read-only dir over dir`},
		{"the root later", []plan.Op{peer(bind("/run/sock", "/s")), peer(bind("/usr", "/")), peer(op("tmpfs", "/s")), peer(op("tmpfs", "/")), peer(op("mkdir", "/s"))}, `
bind /s own
bind / own dir over dir
tmpfs /s writable dir
tmpfs / own dir over dir
mkdir /s own dir`},
		{"missing in a read-only bind", []plan.Op{peer(bind("/usr", "/u", "ro")), peer(op("tmpfs", "/u/new/x")), op("tmpfs", "/u/no")}, `
bind /u own dir
tmpfs /u/new/x writable dir make /u/new
fault tmpfs: destination "/u/no" does not exist in the read-only bind at "/u"`},
		{"missing in a writable bind", []plan.Op{bind("/usr", "/u"), op("tmpfs", "/u/no"), peer(op("write", "/u/yes"))}, `
bind /u own dir
write /u/yes writable
fault tmpfs: destination "/u/no" does not exist in the writable bind at "/u", and a sandbox does not write to the host to make itself`},
		{"the root by a symlink", []plan.Op{link("/l", "."), op("write", "/f"), peer(bind("/usr", "/l")), peer(op("mkdir", "/f/x")), peer(op("mkdir", "/lib"))}, `
symlink /l own
write /f own
bind / own dir over dir
mkdir /f/x writable dir make /f
mkdir /lib writable dir over dir done`},
		{"a file follows a link, where it is asked to", []plan.Op{link("/l", "f"), op("write", "/f"), peer(bind("/etc/x", "/l")), bind("/etc/x", "/l")}, `
symlink /l own
write /f own
bind /f own over file
bind /l own over symlink`},
		{"a link that dangles", []plan.Op{link("/l", "no"), link("/m", "no/x"), peer(bind("/etc/x", "/l")), peer(bind("/etc/x", "/m")), peer(op("tmpfs", "/m")), link("/n", "/gone"), peer(op("tmpfs", "/n/x/y"))}, `
symlink /l own
symlink /m own
bind /no own
symlink /n own
fault bind: destination "/m": "/no": not a directory
fault tmpfs: destination "/m": "/no": not a directory
fault tmpfs: destination "/n/x/y": a symlink on the way leads nowhere: no such file or directory`},
		{"symlinks through", []plan.Op{peer(bind("/usr", "/usr")), through(link("/usr/link", "share")), through(link("/usr/new", "x")), through(link("/usr/abs", "x")), through(link("/usr/lib", "x"))}, `
bind /usr own dir
symlink /usr/link writable over symlink done
symlink /usr/new writable
fault symlink: destination "/usr/abs" is a symlink to "/share"
fault symlink: destination "/usr/lib" exists and is not a symlink`},
		{"files through", []plan.Op{peer(bind("/etc", "/etc")), through(op("write", "/etc/x")), through(op("write", "/etc/y")), through(op("write", "/etc"))}, `
bind /etc own dir
write /etc/x writable over file
write /etc/y writable
fault write: destination "/etc" is a directory, what goes there is not`},
		{"a read-only bind made so later", []plan.Op{peer(bind("/usr", "/u")), op("remount_ro", "/u"), op("remount_ro", "/u/lib"), op("remount_ro", "/no"), mode(op("chmod", "/u/lib"), 0)}, `
bind /u own dir
remount_ro /u own dir over dir done
remount_ro /u/lib own dir over dir done
chmod /u/lib own dir over dir
fault remount_ro: "/no" does not exist in the sandbox`},
		{"dots", []plan.Op{peer(bind("/usr", "/a/b")), peer(op("tmpfs", "/a/b/../c"))}, `
bind /a/b own dir make /a
tmpfs /a/c own dir`},
		{"what is mounted upon is not what it was", []plan.Op{peer(bind("/usr", "/u")), peer(bind("/etc", "/u/lib")), peer(op("tmpfs", "/u")), peer(op("write", "/u/lib"))}, `
bind /u own dir
bind /u/lib writable dir over dir
tmpfs /u own dir over dir
write /u/lib own`},
	} {
		p := plan.New()
		p.Order, p.Ops = plan.OrderGiven, tt.ops
		got := dump(Build(p, hosttest.Facts(someHost...), nil))
		if want := strings.TrimPrefix(tt.want, "\n") + "\n"; got != want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", tt.name, got, want)
		}
	}
}
