//go:build linux

package argvtest

var mkosiDeliberate []deliberate
