package layout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

// Short forms of operations.

func bind(src, dst string, opts ...string) plan.Op {
	o := plan.Op{Kind: plan.Bind, Src: plan.Str(src), Dst: plan.Str(dst)}
	for _, v := range opts {
		switch v {
		case "ro":
			o.RO = true
		case "inside":
			o.Inside = true
		case "optional":
			o.Optional = true
		case "nofollow":
			o.NoFollow = true
		case "create":
			o.Create = true
		default:
			panic(v)
		}
	}
	return o
}

func op(kind plan.Kind, dst string) plan.Op { return plan.Op{Kind: kind, Dst: plan.Str(dst)} }

func link(dst, target string) plan.Op {
	return plan.Op{Kind: plan.Symlink, Dst: plan.Str(dst), Target: plan.Str(target)}
}

func mask(dst string, opts ...string) plan.Op {
	o := bind("", dst, opts...)
	o.Kind = plan.Mask
	return o
}

func copyOp(src, dst string) plan.Op {
	return plan.Op{Kind: plan.Copy, Src: plan.Str(src), Dst: plan.Str(dst)}
}

func mode(o plan.Op, m plan.Mode) plan.Op {
	o.Mode = &m
	return o
}

func overlay(dst, upper string, lower ...plan.Str) plan.Op {
	o := plan.Op{Kind: plan.Overlay, Dst: plan.Str(dst), Lower: lower}
	if upper == "tmpfs" {
		o.UpperTmpfs = true
	} else {
		o.Upper = plan.Str(upper)
	}
	return o
}

func build(f *host.Facts, ops ...plan.Op) *Layout {
	p := plan.New()
	p.Ops = ops
	return Build(p, f, nil)
}

var someHost = []string{
	"/usr/bin/sh file 0755", "/usr/lib dir", "/usr/share/doc dir 0700", "/usr/link -> share", "/usr/abs -> /share",
	"/usr/loop -> loop2", "/usr/loop2 -> loop", "/usr/secret denied", "/opt/a file", "/opt/up -> ../etc/x",
	"/opt/gone -> nowhere", "/etc/x file", "/dev/null device", "/run/sock other",
	"/big/one dir mount", "/big/two file", "/big/three -> two",
	"/low/1/a file", "/low/1/d/x file", "/low/1/d/e dir", "/low/1/gone file", "/low/1/m/deep file", "/low/1/h/x file",
	"/low/2/b file", "/low/2/d dir 0750", "/low/2/gone whiteout", "/low/2/m whiteout", "/low/2/h file",
	"/low/3/m dir", "/low/3/h dir", "/upper dir",
}

func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		name string
		ops  []plan.Op
		want string
	}{
		// Order.
		{"parents first", []plan.Op{op("tmpfs", "/a/b"), op("tmpfs", "/a.b"), op("tmpfs", "/a")}, `
tmpfs /a own dir
tmpfs /a/b own dir
tmpfs /a.b own dir`},
		{"the later wins", []plan.Op{bind("/usr", "/a"), op("tmpfs", "//a/./")}, `
tmpfs /a own dir`},
		{"mkdir of what is there", []plan.Op{op("tmpfs", "/a"), op("mkdir", "/a")}, `
tmpfs /a own dir`},
		{"the mode of the later mkdir", []plan.Op{op("mkdir", "/a"), mode(op("mkdir", "/a"), 0o700), op("mkdir", "/a"), op("chmod", "/b")}, `
mkdir /a own dir
fault chmod: "/b" does not exist in the sandbox`},
		{"mkdir in place of a file", []plan.Op{op("write", "/a"), op("mkdir", "/a"), link("/b", "x"), op("mkdir", "/b"), bind("/etc/x", "/c"), op("mkdir", "/c")}, `
mkdir /a own dir
mkdir /b own dir
mkdir /c own dir`},
		{"mkdir under a bind", []plan.Op{bind("/usr", "/c"), op("mkdir", "/c")}, `
bind /c own dir`},
		{"mask keeps what it masks", []plan.Op{op("mask", "/a"), op("tmpfs", "/a"), op("mask", "/a")}, `
tmpfs /a own dir
mask /a own dir over dir`},
		{"chmod and remount_ro come last", []plan.Op{op("remount_ro", "/a"), mode(op("chmod", "/a/f"), 0), op("write", "/a/f"), op("tmpfs", "/a")}, `
tmpfs /a own dir
write /a/f own
chmod /a/f own over file
remount_ro /a own dir over dir done`},
		{"missing and optional", []plan.Op{bind("/no", "/a", "optional"), bind("/opt/gone", "/b", "optional"), bind("/opt/gone", "/c", "optional", "nofollow")}, `
bind /c own`},

		// The walk.
		{"relative link", []plan.Op{link("/bin", "usr/bin"), bind("/usr", "/usr"), bind("/etc/x", "/bin/sh")}, `
symlink /bin own
bind /usr own dir
bind /usr/bin/sh writable over file`},
		{"bound link", []plan.Op{bind("/usr", "/u", "ro"), bind("/usr/link", "/link", "nofollow"), op("mkdir", "/share/x"), op("tmpfs", "/link/x/y"), bind("/link", "/in", "inside", "nofollow"), op("mask", "/in/x/y")}, `
bind /link own
tmpfs /share/x/y own dir make /share make /share/x
mkdir /share/x own dir over dir done
bind /u own dir
bind /in own of /link
mask /share/x/y own dir over dir`},
		{"absolute link on the host stays inside", []plan.Op{bind("/usr", "/u"), op("tmpfs", "/share"), op("tmpfs", "/u/abs/x")}, `
tmpfs /share own dir
bind /u own dir
tmpfs /share/x own dir`},
		{"dots in a link", []plan.Op{bind("/opt", "/opt"), op("mkdir", "/etc/x"), op("tmpfs", "/opt/up"), link("/l", "../../../etc/./x/"), op("tmpfs", "/l/y")}, `
mkdir /etc/x own dir make /etc
symlink /l own
bind /opt own dir
tmpfs /etc/x own dir over dir
tmpfs /etc/x/y own dir`},
		{"dots above a file", []plan.Op{op("write", "/f"), link("/l", "f/../d"), op("tmpfs", "/l/x")}, `
write /f own
symlink /l own
fault tmpfs: destination "/l/x": "/f": not a directory`},
		{"loops", []plan.Op{bind("/usr", "/usr"), op("tmpfs", "/usr/loop/x"), link("/me", "me"), op("tmpfs", "/me/x")}, `
symlink /me own
bind /usr own dir
fault tmpfs: destination "/me/x": "/me": too many levels of symbolic links
fault tmpfs: destination "/usr/loop/x": "/usr/loop": too many levels of symbolic links`},
		{"a file on the way", []plan.Op{op("write", "/a"), op("tmpfs", "/a/b")}, `
write /a own
fault tmpfs: destination "/a/b": "/a": not a directory`},
		{"out of sight", []plan.Op{bind("/usr", "/usr"), op("tmpfs", "/usr/secret/x")}, `
bind /usr own dir
fault tmpfs: destination "/usr/secret/x": "/usr/secret": permission denied`},
		{"dangling link", []plan.Op{link("/l", "d/e"), op("mkdir", "/l/x")}, `
symlink /l own
mkdir /d/e/x own dir make /d make /d/e`},
		{"dangling link with dots", []plan.Op{link("/l", "d/../e"), op("mkdir", "/l/x")}, `
symlink /l own
fault mkdir: destination "/l/x": no such file or directory`},
		{"a file goes where the link is", []plan.Op{link("/l", "d"), op("mkdir", "/d"), op("write", "/l")}, `
mkdir /d own dir
write /l own`},
		{"hidden by a mount that a link leads to", []plan.Op{link("/a", "z"), op("write", "/a/f"), op("write", "/a/g"), op("tmpfs", "/z")}, `
symlink /a own
tmpfs /z own dir
write /z/f own
write /z/g own`},
		{"a link that others lead to", []plan.Op{link("/a", "zz"), op("write", "/a/d/f"), op("mkdir", "/a/e"), link("/zz", "y"), bind("/usr", "/y", "ro")}, `
symlink /a own
bind /y own dir
  skeleton /y of /usr
    entry d dir
    entry d/f file for write
    entry e dir for mkdir
symlink /zz own
write /y/d/f read-only ready
mkdir /y/e read-only dir ready`},
		{"a bound link that others lead to", []plan.Op{link("/a", "link"), op("write", "/a/f"), bind("/usr/link", "/link", "nofollow")}, `
symlink /a own
bind /link own
write /share/f own make /share`},
		{"links in a circle", []plan.Op{link("/a", "zz"), op("write", "/a/f"), link("/zz", "a")}, `
symlink /a own
symlink /zz own
fault write: destination "/a/f": "/a": too many levels of symbolic links`},
		{"a link in a directory's place", []plan.Op{link("/a", "zz"), op("mkdir", "/a/d"), link("/b", "c"), op("mkdir", "/b/d"), link("/c/d", "e")}, `
symlink /a own
mkdir /zz/d own dir make /zz
symlink /b own
mkdir /c/d own dir make /c
fault symlink: destination "/c/d" is a directory`},
		{"a mask of what comes later", []plan.Op{link("/a", "usr"), mask("/a/bin"), mask("/a/lib", "optional"), mask("/a/none", "optional"), mask("/a/nope"), link("/b", "a"), mask("/b/share", "optional"), bind("/usr", "/usr"), op("remount_ro", "/usr"), bind("/usr", "/in", "inside")}, `
symlink /a own
symlink /b own
bind /usr own dir
mask /usr/bin writable dir over dir
mask /usr/lib writable dir over dir
mask /usr/share writable dir over dir
bind /in own dir of /usr
remount_ro /usr own dir over dir done
fault mask: "/a/nope" does not exist in the sandbox`},
		{"a mask over what is put below it", []plan.Op{link("/a", "z"), mask("/a/d", "optional"), op("write", "/a/d/f")}, `
symlink /a own
write /z/d/f own make /z make /z/d`},
		{"a mask that hides", []plan.Op{link("/a", "z"), op("mkdir", "/z"), op("write", "/a/f"), op("mask", "/z")}, `
symlink /a own
mkdir /z own dir
mask /z own dir over dir
fault write: destination "/a/f" is below "/z", which is masked`},

		// Places.
		{"own", []plan.Op{op("mkdir", "/a/b/c"), op("write", "/a/f"), op("write", "/a/b/f")}, `
mkdir /a/b/c own dir make /a make /a/b
write /a/b/f own
write /a/f own`},
		{"writable", []plan.Op{bind("/usr", "/u"), op("tmpfs", "/u/new"), bind("/etc/x", "/u/b/c", "create"), op("mkdir", "/u/bin")}, `
bind /u own dir
bind /u/b/c writable make /u/b
mkdir /u/bin writable dir over dir done
fault tmpfs: destination "/u/new" does not exist in the writable bind at "/u", and a sandbox does not write to the host to make itself`},
		{"links that are there", []plan.Op{bind("/usr", "/u", "ro"), link("/u/link", "share"), link("/u/abs", "other"), link("/u/bin", "x"), link("/u/bin/sh", "y")}, `
bind /u own dir
symlink /u/abs read-only over symlink
symlink /u/bin/sh read-only over file
symlink /u/link read-only over symlink done
fault symlink: destination "/u/bin" is a directory`},
		{"kinds that do not fit", []plan.Op{bind("/usr", "/u"), bind("/etc/x", "/u/bin"), op("tmpfs", "/u/bin/sh"), op("mkdir", "/u/bin/sh/"), copyOp("/etc/x", "/u/lib"), op("write", "/f"), link("/l", "f"), op("mkdir", "/l/")}, `
write /f own
mkdir /l own dir
bind /u own dir
fault bind: destination "/u/bin" is a directory, what goes there is not
fault tmpfs: destination "/u/bin/sh" is not a directory, as what goes there is
fault copy: destination "/u/lib" is a directory, what goes there is not`},
		{"the root by a symlink", []plan.Op{link("/l", "."), bind("/usr", "/l/l"), op("tmpfs", "/l/x")}, `
symlink /l own
tmpfs /x own dir
fault bind: destination "/l/l" leads to the root of the sandbox`},

		// Skeletons.
		{"skeleton", []plan.Op{bind("/usr", "/u", "ro"), op("tmpfs", "/u/share/a/b"), op("write", "/u/share/a/f"), op("mkdir", "/u/new/d"), link("/u/sl", "t"), bind("/etc/x", "/u/share/doc/m"), copyOp("/etc/x", "/u/new/d/c")}, `
bind /u own dir
  skeleton /u of /usr
    entry new dir
    entry new/d dir for mkdir
    entry new/d/c file for copy
    entry sl symlink for symlink
  skeleton /u/share of /usr/share
    entry a dir
    entry a/b dir
    entry a/f file for write
  skeleton /u/share/doc of /usr/share/doc
    entry m file
mkdir /u/new/d read-only dir ready
copy /u/new/d/c read-only ready
tmpfs /u/share/a/b read-only dir
write /u/share/a/f read-only ready
bind /u/share/doc/m read-only
symlink /u/sl read-only ready`},
		{"skeleton with things mounted below", []plan.Op{bind("/big", "/b", "ro"), op("tmpfs", "/b/new"), op("tmpfs", "/b/one/x")}, `
bind /b own dir
  skeleton /b of /big mirror one three two
    entry new dir
  skeleton /b/one of /big/one
    entry x dir
tmpfs /b/new read-only dir
tmpfs /b/one/x read-only dir`},
		{"nothing can be made in proc", []plan.Op{op("proc", "/proc"), op("mkdir", "/proc/x")}, `
proc /proc own dir
fault mkdir: destination "/proc/x" does not exist, and nothing can be made in "/proc"`},
		{"nothing can be made in mqueue", []plan.Op{op("mqueue", "/m"), op("write", "/m/q")}, `
mqueue /m own dir
fault write: destination "/m/q" does not exist, and nothing can be made in "/m"`},
		{"nothing can be made in pts", []plan.Op{op("dev", "/dev"), op("write", "/dev/pts/x"), op("write", "/dev/mine"), op("tmpfs", "/dev/shm")}, `
dev /dev own dir
write /dev/mine own
tmpfs /dev/shm own dir over dir
fault write: destination "/dev/pts/x" does not exist, and nothing can be made in "/dev/pts"`},

		// Overlays.
		{"read-only overlay", []plan.Op{overlay("/o", "", "/low/1", "/low/2"), op("tmpfs", "/o/d/e"), op("write", "/o/d/f"), op("write", "/o/d/e2/g"), op("write", "/o/a")}, `
overlay /o own dir
  extra d dir 0750
  extra d/e2 dir
  extra d/e2/g file for write
  extra d dir 0750
  extra d/f file for write
write /o/a read-only over file
tmpfs /o/d/e read-only dir over dir
write /o/d/e2/g read-only ready
write /o/d/f read-only ready`},
		{"whiteouts", []plan.Op{overlay("/o", "tmpfs", "/low/1", "/low/2"), op("write", "/o/gone"), op("tmpfs", "/o/m/deep")}, `
overlay /o own dir
write /o/gone own
tmpfs /o/m/deep own dir make /o/m`},
		{"a layer between hides", []plan.Op{overlay("/o", "tmpfs", "/low/1", "/low/2", "/low/3"), op("mkdir", "/o/m/deep"), op("mkdir", "/o/h/x")}, `
overlay /o own dir
mkdir /o/h/x own dir
mkdir /o/m/deep own dir`},
		{"upper on the host", []plan.Op{overlay("/o", "/upper", "/low/1"), op("write", "/o/new"), bind("/etc/x", "/o/a")}, `
overlay /o own dir
bind /o/a writable over file
fault write: destination "/o/new" does not exist in the writable overlay at "/o", and a sandbox does not write to the host to make itself`},

		// Binds inside.
		{"inside", []plan.Op{bind("/a/b", "/c", "inside"), op("write", "/c/new"), op("write", "/a/b/f"), bind("/a/b/f", "/g", "inside"), op("write", "/c/f")}, `
write /a/b/f own make /a make /a/b
bind /c own dir of /a/b
write /c/f own over file
write /c/new own
bind /g own of /a/b/f`},
		{"what is mounted below comes along", []plan.Op{bind("/opt", "/a/opt"), bind("/usr", "/a/usr", "ro"), bind("/a", "/c", "inside"), op("write", "/c/opt/new"), op("tmpfs", "/c/opt/a/x"), op("write", "/c/usr/new"), op("write", "/c/n")}, `
bind /a/opt own dir make /a
bind /a/usr own dir
bind /c own dir of /a
write /c/n own
fault tmpfs: destination "/c/opt/a/x": "/c/opt/a": not a directory
fault write: destination "/c/opt/new" does not exist in the writable bind at "/c/opt", and a sandbox does not write to the host to make itself
fault write: destination "/c/usr/new" does not exist, and nothing can be made in "/c/usr"`},
		{"read-only inside", []plan.Op{op("mkdir", "/a/d"), bind("/a", "/c", "inside", "ro"), op("tmpfs", "/c/d"), op("tmpfs", "/c/e")}, `
mkdir /a/d own dir make /a
bind /c own dir of /a
tmpfs /c/d read-only dir over dir
fault tmpfs: destination "/c/e" does not exist, and nothing can be made in "/c"`},
		{"inside the inside", []plan.Op{op("mkdir", "/a/d"), bind("/a", "/b", "inside"), bind("/b", "/c", "inside"), op("tmpfs", "/c/d"), op("tmpfs", "/c/e/f")}, `
mkdir /a/d own dir make /a
bind /b own dir of /a
bind /c own dir of /b
tmpfs /c/d own dir over dir
tmpfs /c/e/f own dir make /c/e`},
		{"the root inside itself", []plan.Op{op("mkdir", "/d"), bind("/", "/c", "inside"), op("tmpfs", "/c/d"), op("mkdir", "/c/c/d")}, `
mkdir /d own dir
bind /c own dir of /
mkdir /c/c/d own dir
tmpfs /c/d own dir over dir`},
		{"missing inside", []plan.Op{bind("/a", "/b", "inside"), bind("/a", "/c", "inside", "optional"), link("/l", "l"), bind("/l", "/d", "inside"), bind("/l", "/e", "inside", "nofollow")}, `
symlink /l own
bind /e own of /l
fault bind: source "/a" does not exist in the sandbox
fault bind: source "/l": "/l": too many levels of symbolic links`},
		{"chmod by another name", []plan.Op{op("mkdir", "/a"), bind("/etc/x", "/a/f"), op("write", "/a/own"), bind("/a", "/c", "inside"), mode(op("chmod", "/c/f"), 0), mode(op("chmod", "/c/own"), 0)}, `
mkdir /a own dir
bind /a/f own
write /a/own own
bind /c own dir of /a
chmod /c/own own over file
fault chmod: "/c/f" is the host's, and mode 0000 would be its mode there`},

		// Masks, chmod, remount_ro.
		{"masks", []plan.Op{bind("/usr", "/usr", "ro"), op("mask", "/usr/bin/sh"), op("mask", "/usr/lib"), op("mask", "/usr/link"), op("mask", "/usr/no"), {Kind: plan.Mask, Dst: "/usr/none", Optional: true}, op("mask", "/"), op("write", "/usr/lib/x"), op("mask", "/usr/loop")}, `
bind /usr own dir
mask /usr/bin/sh read-only over file
mask /usr/lib read-only dir over dir
mask /usr/share read-only dir over dir
fault mask: the root of the sandbox cannot be masked
fault write: destination "/usr/lib/x" is below "/usr/lib", which is masked
fault mask: destination "/usr/loop": "/usr/loop": too many levels of symbolic links
fault mask: "/usr/no" does not exist in the sandbox`},
		{"masks in what can be written", []plan.Op{bind("/usr", "/usr"), op("mask", "/usr/bin/sh"), op("mask", "/usr/link"), op("tmpfs", "/usr/lib"), op("mkdir", "/usr/lib/x/y"), op("mask", "/usr/lib/x/y")}, `
bind /usr own dir
mask /usr/bin/sh writable over file hold /usr/bin
tmpfs /usr/lib writable dir over dir
mkdir /usr/lib/x/y own dir make /usr/lib/x
mask /usr/lib/x/y own dir over dir
mask /usr/share writable dir over dir hold /usr/link`},
		{"what a deep mask holds", []plan.Op{bind("/low", "/low"), bind("/low/2", "/low/2"), op("mask", "/low/1/d/x"), op("mask", "/low/1/d/e"), op("mask", "/low/1/h/x"), op("mask", "/low/2/d"), op("remount_ro", "/low/1/m/deep"), bind("/low/3/m", "/low/3/m", "ro")}, `
bind /low own dir
mask /low/1/d/e writable dir over dir hold /low/1 hold /low/1/d
mask /low/1/d/x writable over file
mask /low/1/h/x writable over file hold /low/1/h
bind /low/2 writable dir over dir
mask /low/2/d writable dir over dir
bind /low/3/m writable dir over dir hold /low/3
remount_ro /low/1/m/deep own over file hold /low/1/m`},
		{"chmod", []plan.Op{bind("/opt", "/opt"), bind("/etc/x", "/f"), op("tmpfs", "/t"), mode(op("chmod", "/opt/a"), 0o600), mode(op("chmod", "/f"), 0o600), mode(op("chmod", "/t"), 0o600), mode(op("chmod", "/"), 0o700), op("dev", "/dev"), mode(op("chmod", "/dev/null"), 0o600), mode(op("chmod", "/dev/shm"), 0o600), copyOp("/etc/x", "/g"), mode(op("chmod", "/g"), 0o600), op("mask", "/t2"), op("tmpfs", "/t2"), mode(op("chmod", "/t2"), 0o600), link("/lo", "lo"), mode(op("chmod", "/lo"), 0)}, `
dev /dev own dir
bind /f own
copy /g own
symlink /lo own
bind /opt own dir
tmpfs /t own dir
tmpfs /t2 own dir
chmod / own dir over dir
chmod /dev/shm own dir over dir
chmod /g own over file
chmod /t own dir over dir
chmod /t2 own dir over dir
fault chmod: "/dev/null" is the host's, and mode 0600 would be its mode there
fault chmod: "/f" is the host's, and mode 0600 would be its mode there
fault chmod: destination "/lo": "/lo": too many levels of symbolic links
fault chmod: "/opt/a" is the host's, and mode 0600 would be its mode there`},
		{"a mkdir's mode, where the directory is there", []plan.Op{op("tmpfs", "/t"), mode(op("mkdir", "/t"), 0o700), op("tmpfs", "/u"), mode(op("mkdir", "/u"), 0o700), op("mkdir", "/u"), op("dev", "/dev"), mode(op("mkdir", "/dev/shm"), 0o700),
			mode(op("tmpfs", "/same"), 0o700), mode(op("mkdir", "/same"), 0o700), mode(op("mkdir", "/late"), 0o700), op("tmpfs", "/late"),
			bind("/low", "/w"), mode(op("mkdir", "/w"), 0o700), mode(op("mkdir", "/w/1"), 0o700), {Kind: plan.Mkdir, Dst: "/w/2", Mode: plan.ModePtr(0), Optional: true}, bind("/usr", "/usr", "ro"), mode(op("mkdir", "/usr"), 0o755),
			mode(op("mkdir", "/usr/new"), 0o700), link("/zl", "usr"), mode(op("mkdir", "/zl/new"), 0o700), link("/zk", "usr"), mode(op("mkdir", "/zk/new"), 0o711)}, `
dev /dev own dir
chmod /dev/shm own dir over dir
tmpfs /late own dir
tmpfs /same own dir
mkdir /same own dir over dir done
tmpfs /t own dir
chmod /t own dir over dir
tmpfs /u own dir
chmod /u own dir over dir
bind /usr own dir
  skeleton /usr of /usr
    entry new dir for mkdir
mkdir /usr own dir over dir done
mkdir /usr/new read-only dir ready
bind /w own dir
mkdir /w own dir over dir done
mkdir /w/1 writable dir over dir done
mkdir /w/2 writable dir over dir done
symlink /zk own
mkdir /usr/new read-only dir over dir done
symlink /zl own
mkdir /usr/new read-only dir over dir done
fault mkdir: "/w" is the host's and stays as it is: mode 0700 would be its mode there
fault mkdir: "/w/1" is the host's and stays as it is: mode 0700 would be its mode there
fault mkdir: "/zk/new" is made with another mode than 0711 already, in what is the host's`},
		{"chmod below a mask", []plan.Op{op("write", "/f"), mode(op("chmod", "/f"), 0o600), op("mask", "/f"), op("mkdir", "/d"), mode(op("chmod", "/d"), 0o600), op("mask", "/d"),
			bind("/etc/x", "/x"), mode(op("chmod", "/x"), 0o600), op("mask", "/x"), bind("/usr", "/usr"), mode(op("chmod", "/usr/lib"), 0o600), op("mask", "/usr/lib")}, `
mkdir /d own dir
mask /d own dir over dir
write /f own
mask /f own over file
bind /usr own dir
mask /usr/lib writable dir over dir
bind /x own
mask /x own over file
chmod /d own dir over dir done
chmod /f own over file done
fault chmod: "/usr/lib" is the host's, and mode 0600 would be its mode there
fault chmod: "/x" is the host's, and mode 0600 would be its mode there`},
		{"remount_ro", []plan.Op{bind("/usr", "/usr"), op("remount_ro", "/usr"), op("remount_ro", "/usr/bin"), op("remount_ro", "/"), op("remount_ro", "/no"), bind("/etc/x", "/f"), op("remount_ro", "/f"), link("/lo", "lo"), op("remount_ro", "/lo")}, `
bind /f own
symlink /lo own
bind /usr own dir
remount_ro / own dir over dir done
remount_ro /f own over file done
remount_ro /usr own dir over dir done
remount_ro /usr/bin own dir over dir
fault remount_ro: destination "/lo": "/lo": too many levels of symbolic links
fault remount_ro: "/no" does not exist in the sandbox`},

		// Roots.
		{"root bind", []plan.Op{bind("/", "/", "ro"), op("tmpfs", "/usr"), op("mkdir", "/new")}, `
root bind / own dir over dir
  skeleton / of / mirror big dev etc low opt run upper usr
    entry new dir for mkdir
mkdir /new read-only dir ready
tmpfs /usr read-only dir over dir`},
		{"root overlay", []plan.Op{overlay("/", "tmpfs", "/low/1"), op("tmpfs", "/d/e"), op("mkdir", "/x"), op("mkdir", "/")}, `
root overlay / own dir over dir
tmpfs /d/e own dir over dir
mkdir /x own dir`},
		{"the mode of a root", []plan.Op{op("tmpfs", "/"), mode(op("mkdir", "/"), 0o711), op("mkdir", "/x")}, `
root tmpfs / own dir over dir
chmod / own dir over dir
mkdir /x own dir`},
		{"the mode of the host's root", []plan.Op{bind("/", "/", "ro"), mode(op("mkdir", "/"), 0o711)}, `
root bind / own dir over dir
fault mkdir: "/" is the host's and stays as it is: mode 0711 would be its mode there`},
		{"root tmpfs", []plan.Op{op("tmpfs", "/"), op("mkdir", "/x"), op("mkdir", "/")}, `
root tmpfs / own dir over dir
mkdir /x own dir`},
		{"mkdir of the root", []plan.Op{op("mkdir", "/")}, ``},
		{"mkdir of the root with a mode", []plan.Op{mode(op("mkdir", "/"), 0o700), op("mkdir", "/x"), op("mkdir", "/")}, `
root mkdir / own dir over dir
mkdir /x own dir`},
		{"repeats", []plan.Op{op("mkdir", "/a"), op("mask", "/a"), {Kind: plan.Mask, Dst: "/a/", Optional: true}, op("mask", "/a"), op("mask", "/no"), {Kind: plan.Mask, Dst: "/no", Optional: true},
			op("remount_ro", "/"), op("remount_ro", "/"), mode(op("chmod", "/"), 0), mode(op("chmod", "/"), 0o700)}, `
mkdir /a own dir
mask /a own dir over dir
chmod / own dir over dir
remount_ro / own dir over dir done
fault mask: "/no" does not exist in the sandbox`},
		{"no roots", []plan.Op{op("proc", "/")}, `
fault proc: cannot be the root of the sandbox`},
		{"a file as the root", []plan.Op{bind("/etc/x", "/")}, `
fault bind: destination "/" is a directory`},
		{"a link as the root", []plan.Op{link("/", "x")}, `
fault symlink: destination "/" is a directory`},
		{"the root as root", []plan.Op{bind("/", "/", "inside")}, `
fault bind: cannot be the root of the sandbox`},

		// Sources.
		{"sources", []plan.Op{bind("/no", "/1"), bind("/opt/gone", "/2"), bind("/usr/secret", "/3"), copyOp("/no", "/4"), copyOp("/usr/secret", "/5"), copyOp("/usr", "/6"), copyOp("/run/sock", "/7"), bind("/run/sock", "/8")}, `
bind /8 own
fault bind: source "/no" does not exist on the host
fault bind: source "/opt/gone" does not exist on the host
fault bind: source "/usr/secret": permission denied
fault copy: source "/no" does not exist on the host
fault copy: source "/usr/secret": permission denied
fault copy: source "/usr" is a directory
fault copy: source "/run/sock" is not a regular file`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.TrimPrefix(tt.want+"\n", "\n")
			if got := dump(build(hosttest.Facts(someHost...), tt.ops...)); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestTerminal(t *testing.T) {
	f := hosttest.Facts("/dev/fuse device", "/etc/x file")
	f.TTY = "/dev/pts/7"
	want := "dev /dev own dir\nbind /dev/console own over file\nbind /dev/fuse own over file\n"
	if got := dump(build(f, op("dev", "/dev"), bind("/etc/x", "/dev/console"), bind("/etc/x", "/dev/fuse"))); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestSkip(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{op("tmpfs", "/a"), op("tmpfs", "not a path"), op("tmpfs", "/b")}
	l := Build(p, hosttest.Facts(), func(i int) bool { return i == 1 })
	if got := dump(l); got != "tmpfs /a own dir\ntmpfs /b own dir\n" || l.Steps[1].Index != 2 {
		t.Errorf("got:\n%s", got)
	}
}

// TestGrowth lays out plans in which everything depends on everything.
func TestGrowth(t *testing.T) {
	n := plan.MaxOps / 5
	if testing.Short() {
		n /= 10
	}
	for _, tt := range []struct {
		name string
		op   func(i int) plan.Op
	}{
		{"mounts", func(i int) plan.Op { return op("tmpfs", fmt.Sprintf("/a/%06d", i)) }},
		{"backwards", func(i int) plan.Op { return op("tmpfs", fmt.Sprintf("/a/%06d", n-i)) }},
		{"skeletons of one bind", func(i int) plan.Op {
			if i == 0 {
				return bind("/many", "/m", "ro")
			}
			return op("tmpfs", fmt.Sprintf("/m/%d/new", i%1000))
		}},
		{"skeletons", func(i int) plan.Op {
			if i == 0 {
				return bind("/many", "/m", "ro")
			}
			return op("tmpfs", fmt.Sprintf("/m/%d/new%d", i%1000, i))
		}},
		{"masked mounts", func(i int) plan.Op {
			return op([]plan.Kind{"tmpfs", "mask"}[i%2], fmt.Sprintf("/a/%d", i/2))
		}},
		{"one mask", func(i int) plan.Op { return op([]plan.Kind{"tmpfs", "mask"}[min(i, 1)], "/a") }},
		{"one remount_ro", func(i int) plan.Op { return op([]plan.Kind{"tmpfs", "remount_ro"}[min(i, 1)], "/a") }},
		{"masked devs", func(i int) plan.Op {
			return op([]plan.Kind{"dev", "mask"}[i%2], fmt.Sprintf("/a/%d", i/2))
		}},
		{"behind a link", func(i int) plan.Op {
			if i == 0 {
				return link("/a", "z")
			}
			return op("tmpfs", fmt.Sprintf("/%s/%d", []string{"a", "b"}[i%2], i))
		}},
		{"hidden", func(i int) plan.Op {
			switch i {
			case 0:
				return link("/a", "z")
			case 1:
				return op("tmpfs", "/z")
			}
			return op("tmpfs", fmt.Sprintf("/a/%d", i))
		}},
		{"inside", func(i int) plan.Op {
			if i == 0 {
				return bind("/many", "/a", "ro")
			}
			return bind("/a", fmt.Sprintf("/b/%d", i), "inside")
		}},
		{"deep", func(i int) plan.Op {
			return op("mkdir", strings.Repeat("/d", 1+i%500))
		}},
		{"an overlay", func(i int) plan.Op {
			if i == 0 {
				return overlay("/o", "", "/many", "/low")
			}
			return op("write", fmt.Sprintf("/o/%d/new%d", i%1000, i))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := []string{"/low dir"}
			for i := range 1000 {
				list = append(list, fmt.Sprintf("/many/%d dir", i))
			}
			f := hosttest.Facts(list...)
			ops := make([]plan.Op, n)
			for i := range ops {
				ops[i] = tt.op(i)
			}
			start := time.Now()
			l := build(f, ops...)
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			} else {
				t.Logf("%d steps, %d faults, %v", len(l.Steps), len(l.Diags), d)
			}
		})
	}
}
