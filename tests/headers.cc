// Nothing: what it is compiled with are the headers that all tests share (tests/CMakeLists.txt).
