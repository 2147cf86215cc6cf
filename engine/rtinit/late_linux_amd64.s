#include "textflag.h"

// func call(nr, a, b, c, d uintptr) uintptr
TEXT ·call(SB),NOSPLIT,$0-48
	MOVQ	nr+0(FP), AX
	MOVQ	a+8(FP), DI
	MOVQ	b+16(FP), SI
	MOVQ	c+24(FP), DX
	MOVQ	d+32(FP), R10
	SYSCALL
	MOVQ	AX, ret+40(FP)
	RET

// func handler() (handle, restorer uintptr)
TEXT ·handler(SB),NOSPLIT,$0-16
	LEAQ	·sigLate(SB), AX
	MOVQ	AX, handle+0(FP)
	LEAQ	·sigReturn(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET

// sigLate is the signal handler.
TEXT ·sigLate(SB),NOSPLIT|NOFRAME,$0
	MOVL	$29, DI // PR_SET_TIMERSLACK
	MOVQ	·wanted(SB), SI
	MOVL	$157, AX // prctl
	SYSCALL
	TESTQ	AX, AX
	JNE	done
	MOVQ	SI, ·given(SB)
done:
	RET

// sigReturn is the restorer that rt_sigaction wants on this architecture.
TEXT ·sigReturn(SB),NOSPLIT|NOFRAME,$0
	MOVL	$15, AX // rt_sigreturn
	SYSCALL
	INT	$3
