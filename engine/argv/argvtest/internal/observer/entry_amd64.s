//go:build linux

#include "textflag.h"

TEXT ·entry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	$1, ·entered(SB)
	MOVL	$1, BX
	LEAQ	·signals(SB), R12
signal:
	MOVL	BX, DI
	XORL	SI, SI
	MOVQ	R12, DX
	MOVL	$8, R10
	MOVL	$13, AX // rt_sigaction
	SYSCALL
	ADDQ	$32, R12
	INCL	BX
	CMPL	BX, $64
	JLE	signal
	XORL	DI, DI
	XORL	SI, SI
	LEAQ	·blocked(SB), DX
	MOVL	$8, R10
	MOVL	$14, AX // rt_sigprocmask
	SYSCALL
	XORL	BX, BX
	LEAQ	·rlimits(SB), R12
limit:
	XORL	DI, DI
	MOVL	BX, SI
	XORL	DX, DX
	MOVQ	R12, R10
	MOVL	$302, AX // prlimit64
	SYSCALL
	ADDQ	$16, R12
	INCL	BX
	CMPL	BX, $16
	JLT	limit
	XORL	BX, BX
	LEAQ	·fdFlags(SB), R12
fd:
	MOVL	BX, DI
	MOVL	$1, SI // F_GETFD
	XORL	DX, DX
	MOVL	$72, AX // fcntl
	SYSCALL
	MOVQ	AX, (R12)
	ADDQ	$8, R12
	INCL	BX
	CMPL	BX, $64
	JLT	fd
	MOVL	$2, DI // PR_GET_PDEATHSIG
	LEAQ	·deathsig(SB), SI
	MOVL	$157, AX // prctl
	SYSCALL
	JMP	_rt0_amd64_linux(SB)
