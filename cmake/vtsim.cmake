# Compiler flags and the two ways to make a target. A folder is one target; its PUBLIC links are
# the include arrows of docs/architecture.md.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # __int128
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(VTSIM_CCACHE ccache)
if(VTSIM_CCACHE)
  # Checkouts in different folders share the cache.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${VTSIM_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

find_package(PkgConfig REQUIRED)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
  if(VTSIM_SANITIZE)
    set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")  # compiles a quarter faster, runs nearly as fast
  endif()
endif()

add_library(vtsim_flags INTERFACE)
target_compile_options(vtsim_flags INTERFACE
  -Wall -Wextra -Wconversion -Werror -fno-strict-aliasing -fwrapv)
target_include_directories(vtsim_flags INTERFACE ${PROJECT_SOURCE_DIR})
if(VTSIM_SANITIZE)
  target_compile_options(vtsim_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    -Wno-maybe-uninitialized)  # g++ 12 finds false ones in instrumented std::function
  target_link_options(vtsim_flags INTERFACE -fsanitize=address,undefined)
  set(VTSIM_LOOP_DISPATCH ON)
endif()
if(VTSIM_LOOP_DISPATCH)
  target_compile_definitions(vtsim_flags INTERFACE VTSIM_LOOP_DISPATCH=1)
endif()

# vtsim_library(NAME LINKS target...): every .cc of the current folder, and of its subfolders.
function(vtsim_library name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc *.S)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC vtsim_flags ${ARG_LINKS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE vtsim_flags ${ARG_LINKS})
  endif()
endfunction()

# vtsim_test(NAME LINKS target...): a Catch2 program of the current folder's *_test.cc, one ctest test.
function(vtsim_test name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE vtsim_flags vtsim_catch_main ${ARG_LINKS})
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# SystemC as Debian builds it: its API-version symbol carries C++17, whatever standard we compile as.
pkg_check_modules(SYSTEMC REQUIRED IMPORTED_TARGET systemc)
add_library(vtsim_systemc INTERFACE)
target_link_libraries(vtsim_systemc INTERFACE PkgConfig::SYSTEMC)
target_compile_definitions(vtsim_systemc INTERFACE SC_CPLUSPLUS=201703L)
