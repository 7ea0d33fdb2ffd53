/*
 * void qrt__fiber_jump(void **save_sp, void *to_sp)
 *
 * Saves the callee-saved registers on the running stack and its pointer in
 * *save_sp, then goes on where to_sp was saved. Ends in an indirect jump: a
 * `ret` would mispredict every time, as the return stack of the processor
 * knows nothing of our switching. The floating point control words are not
 * switched: tasks do not change them.
 *
 * qrt__fiber_start is where a new fiber begins: function and argument come in
 * callee-saved registers.
 */
#if defined(__x86_64__)
	.text
	.globl qrt__fiber_jump
	.hidden qrt__fiber_jump
	.type qrt__fiber_jump, @function
qrt__fiber_jump:
	.cfi_startproc
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	popq %rcx
	jmpq *%rcx
	.cfi_endproc
	.size qrt__fiber_jump, .-qrt__fiber_jump

	.globl qrt__fiber_start
	.hidden qrt__fiber_start
	.type qrt__fiber_start, @function
qrt__fiber_start:
	.cfi_startproc
	.cfi_undefined rip
	movq %r13, %rdi
	jmpq *%r12
	.cfi_endproc
	.size qrt__fiber_start, .-qrt__fiber_start
	.section .note.GNU-stack, "", @progbits
#elif defined(__aarch64__)
	.text
	.globl qrt__fiber_jump
	.hidden qrt__fiber_jump
	.type qrt__fiber_jump, %function
qrt__fiber_jump:
	.cfi_startproc
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	mov x9, x30
	br x9
	.cfi_endproc
	.size qrt__fiber_jump, .-qrt__fiber_jump

	.globl qrt__fiber_start
	.hidden qrt__fiber_start
	.type qrt__fiber_start, %function
qrt__fiber_start:
	.cfi_startproc
	.cfi_undefined x30
	mov x0, x20
	mov x29, xzr
	mov x30, xzr
	br x19
	.cfi_endproc
	.size qrt__fiber_start, .-qrt__fiber_start
	.section .note.GNU-stack, "", %progbits
#endif
