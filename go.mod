module sbx

go 1.26.0

godebug (
	// Nobody looks at the names of the runtime's mappings, each a system call at the
	// start where the kernel has such (CONFIG_ANON_VMA_NAME): 24 of them.
	decoratemappings=0
	// Nothing here follows a change of the processors that it may use, which would cost
	// the start a goroutine, a thread and system calls.
	updatemaxprocs=0
)

require (
	github.com/alecthomas/kong v1.17.0 // command line of every verb
	github.com/rogpeppe/go-internal v1.16.0 // testscript, in tests only
	go.starlark.net v0.0.0-20260908191801-89a6a09411d5 // the script language
	golang.org/x/sys v0.49.0 // Linux system calls
)

require golang.org/x/tools v0.26.0 // indirect
