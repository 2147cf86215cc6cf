package probe

// This file is the actions that mount, in a mount namespace of their own.

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// scratch makes an empty tmpfs the current directory. It uses mount(2), which every
// kernel has, so that only the probe of the new calls fails where these are missing.
//
// The tmpfs goes on top of "/", the one directory that is sure to be there. The root
// itself stays what it was, so the way to the new mount is "/..".
func scratch() error {
	// Where the caller needed no user namespace, mounts would reach its own.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return at(stagePrivate, err)
	}
	var before, after unix.Stat_t
	if err := unix.Stat("/", &before); err != nil {
		return at("stat /", err)
	}
	if err := unix.Mount("sbx", "/", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return at("mount tmpfs", err)
	}
	if err := unix.Chdir("/.."); err != nil {
		return at("chdir", err)
	}
	if err := unix.Stat(".", &after); err != nil {
		return at("stat", err)
	}
	if before.Dev == after.Dev {
		return wrong("mount tmpfs", "nothing is mounted")
	}
	return nil
}

// option is a parameter of a file system; without a value it is a flag.
type option struct{ key, value string }

// makeFS returns a new file system, not yet attached.
func makeFS(name string, options ...option) (fd int, err error) {
	ctx, err := unix.Fsopen(name, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, at("fsopen "+name, err)
	}
	defer unix.Close(ctx)
	for _, o := range options {
		if o.value == "" {
			err = unix.FsconfigSetFlag(ctx, o.key)
		} else {
			err = unix.FsconfigSetString(ctx, o.key, o.value)
		}
		if err != nil {
			return -1, explained("fsconfig "+name+" "+o.key, ctx, err)
		}
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, explained("fsconfig "+name+" create", ctx, err)
	}
	fd, err = unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return -1, explained("fsmount "+name, ctx, err)
	}
	return fd, nil
}

// explained adds what the kernel wrote in the context of the file system.
func explained(stage string, ctx int, err error) fault {
	f := at(stage, err)
	var lines []string
	buf := make([]byte, 1024)
	for len(lines) < 4 {
		n, err := unix.Read(ctx, buf)
		if err != nil || n <= 0 {
			break
		}
		line := strings.TrimSpace(strings.ToValidUTF8(string(buf[:n]), "?"))
		if len(line) > 2 && line[1] == ' ' { // "e ", "w " or "i "
			line = line[2:]
		}
		lines = append(lines, line)
	}
	f.log = strings.ReplaceAll(strings.Join(lines, "; "), "\x00", "")
	return f
}

// attach mounts fd on a new directory.
func attach(fd int, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return at("mkdir", err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return at("move_mount", err)
	}
	return nil
}

// mountAPI makes a tmpfs, a copy of the whole tree, read-only, puts one in the other,
// and leaves the root directory.
func mountAPI() error {
	if err := scratch(); err != nil {
		return err
	}
	tmpfs, err := makeFS("tmpfs", option{"mode", "0755"})
	if err != nil {
		return err
	}
	if err := attach(tmpfs, "tmpfs"); err != nil {
		return err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return at("open_tree", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return at("mount_setattr", err)
	}
	if err := attach(tree, "tmpfs/tree"); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs("tmpfs/tree", &st); err != nil {
		return at("statfs", err)
	}
	if st.Flags&unix.ST_RDONLY == 0 || st.Flags&unix.ST_NOSUID == 0 {
		return wrong("mount_setattr", "the mount is not read-only")
	}
	if err := os.Mkdir("old", 0o755); err != nil {
		return at("mkdir", err)
	}
	if err := unix.PivotRoot(".", "old"); err != nil {
		return at(stagePivot, err)
	}
	return nil
}

// files makes files with their directories.
func files(names ...string) error {
	for _, name := range names {
		if i := strings.LastIndexByte(name, '/'); i > 0 {
			if err := os.MkdirAll(name[:i], 0o755); err != nil {
				return at("mkdir", err)
			}
		}
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			return at("write", err)
		}
	}
	return nil
}

// overlay mounts a writable one and changes it.
func overlay() error {
	if err := scratch(); err != nil {
		return err
	}
	if err := files("lower/keep", "lower/remove"); err != nil {
		return err
	}
	for _, dir := range []string{"upper", "work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return at("mkdir", err)
		}
	}
	fd, err := makeFS("overlay", option{"lowerdir", "lower"}, option{"upperdir", "upper"}, option{"workdir", "work"},
		option{"userxattr", ""}, option{"index", "off"}, option{"metacopy", "off"}, option{"xino", "off"})
	if err != nil {
		return err
	}
	if err := attach(fd, "merged"); err != nil {
		return err
	}
	if err := files("merged/new"); err != nil {
		return err
	}
	if err := os.Remove("merged/remove"); err != nil {
		return at("remove in overlay", err)
	}
	if b, err := os.ReadFile("merged/keep"); err != nil || string(b) != "lower/keep" {
		return wrong("overlay", "a file of the layer is not there")
	}
	if _, err := os.Stat("upper/new"); err != nil {
		return wrong("overlay", "a new file is not in the upper directory")
	}
	var st unix.Stat_t
	if err := unix.Lstat("upper/remove", &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return wrong("overlay", "a removed file has no whiteout")
	}
	return nil
}

// lowerdirPlus mounts two layers given one by one, with a name that cannot be part
// of an option string.
func lowerdirPlus() error {
	if err := scratch(); err != nil {
		return err
	}
	if err := files("top:a,b/one", "bottom/two"); err != nil {
		return err
	}
	fd, err := makeFS("overlay", option{"lowerdir+", "top:a,b"}, option{"lowerdir+", "bottom"}, option{"userxattr", ""})
	if err != nil {
		return err
	}
	if err := attach(fd, "merged"); err != nil {
		return err
	}
	for _, name := range []string{"merged/one", "merged/two"} {
		if _, err := os.Stat(name); err != nil {
			return at("overlay lowerdir+", err)
		}
	}
	return nil
}

func tmpfsXattr() error {
	if err := scratch(); err != nil {
		return err
	}
	if err := files("file"); err != nil {
		return err
	}
	if err := unix.Setxattr("file", "user.sbx", []byte("1"), 0); err != nil {
		return at("user attribute on tmpfs", err)
	}
	return nil
}

// freshProc mounts the proc of a new pid namespace.
func freshProc() error {
	fd, err := makeFS("proc")
	if err != nil {
		return err
	}
	buf := make([]byte, 16)
	n, err := unix.Readlinkat(fd, "self", buf)
	if err != nil {
		return at("readlink self in proc", err)
	}
	if got := string(buf[:n]); got != "1" {
		return wrong("proc", "this process is number "+strconv.Quote(got)+" there")
	}
	return nil
}
