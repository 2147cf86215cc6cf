package project

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// identity returns what a directory is known by wherever it is moved in its file
// system, and no other that is made when it is gone; "": that cannot be told.
func identity(dir string) string {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_INO == 0 {
		return ""
	}
	if st.Mask&unix.STATX_BTIME == 0 {
		return fmt.Sprintf("%d:%d %d", st.Dev_major, st.Dev_minor, st.Ino)
	}
	// Without the device, which may have another number after the next boot.
	return fmt.Sprintf("%d %d.%09d", st.Ino, st.Btime.Sec, st.Btime.Nsec)
}
