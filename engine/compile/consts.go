package compile

// The kernel's constants. Package compile is pure and builds everywhere, so it
// cannot take them from golang.org/x/sys/unix, which has them on Linux only.

const (
	atFDCWD           = -100
	atSymlinkNofollow = 0x100
	atEmptyPath       = 0x1000
	statxIno          = 0x100
	atRecursive       = 0x8000

	oWronly   = 0x1
	oRdwr     = 0x2
	oNoctty   = 0x100
	oCreat    = 0x40
	oExcl     = 0x80
	oTrunc    = 0x200
	oNonblock = 0x800
	oCloexec  = 0x80000
	oPath     = 0x200000
	modeReg   = 0o100000
	setID     = 0o6000

	openTreeClone = 1
	moveEmptyPath = 4 // MOVE_MOUNT_F_EMPTY_PATH

	attrRdonly = 0x1
	attrNosuid = 0x2
	attrNodev  = 0x4
	attrNoexec = 0x8
	msPrivate  = 1 << 18
	msSlave    = 1 << 19
	msShared   = 1 << 20

	landlockScopeAbstract = 1 // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	landlockScopes        = 6 // the version of Landlock that has scopes, Linux 6.12

	fsopenCloexec  = 1
	fsmountCloexec = 1
	setFlag        = 0 // FSCONFIG_SET_FLAG
	setString      = 1 // FSCONFIG_SET_STRING
	cmdCreate      = 6 // FSCONFIG_CMD_CREATE

	msRdonly = 0x1
	msNosuid = 0x2
	msNodev  = 0x4

	mntDetach = 2

	resolveNoXdev       = 0x01
	resolveNoMagiclinks = 0x02
	resolveNoSymlinks   = 0x04
	resolveInRoot       = 0x10

	newTime   = 0x80
	newNS     = 0x20000
	newCgroup = 0x2000000
	newUTS    = 0x4000000
	newIPC    = 0x8000000
	newUser   = 0x10000000
	newPID    = 0x20000000
	newNet    = 0x40000000

	prSetPdeathsig    = 1
	prSetDumpable     = 4
	prSetSeccomp      = 22
	seccompModeFilter = 2
	prCapbsetDrop     = 24
	prSetNoNewPrivs   = 38
	prCapAmbient      = 47
	capAmbientRaise   = 2
	capVersion3       = 0x20080522
	seccompSetFilter  = 1
	closeRangeCloexec = 4
	fSetFD            = 2
	fSetLK            = 6
	fDupFDCloexec     = 1030
	sigKill           = 9
	sigStop           = 19

	afInet       = 2
	sockDgram    = 2
	sockCloexec  = 0x80000
	siocSIFFlags = 0x8914
	msgNosignal  = 0x4000
	iffUp        = 0x1
	iffRunning   = 0x40

	tcSETS      = 0x5402
	tiocSCTTY   = 0x540e
	tiocSWINSZ  = 0x5414
	tiocSPTLCK  = 0x40045431
	tiocGPTPEER = 0x5441

	eNOENT = 2
	eEXIST = 17
	eINVAL = 22
	eXDEV  = 18
	ePERM  = 1
)

// oDirectory and oNofollow differ between amd64 and arm64.
func oDirectory(arch string) uint64 {
	if arch == "arm64" {
		return 0x4000
	}
	return 0x10000
}

func oNofollow(arch string) uint64 {
	if arch == "arm64" {
		return 0x8000
	}
	return 0x20000
}
