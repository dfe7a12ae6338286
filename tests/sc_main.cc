// libsystemc.so refers to sc_main. A test program that elaborates nothing has none, and an
// instrumented one links the library all the same, for a template instance that both contain.
extern "C" __attribute__((weak)) int sc_main(int, char*[]) { return 0; }
