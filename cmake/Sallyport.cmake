# How rooms, programs and tests are built: a function for each, and the flags that everything is compiled with.
include(CheckCCompilerFlag)
include(CheckPIESupported)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(libraries jansson inih openssl)
if(NOT SALLYPORT_CLIENT_ONLY)
    list(APPEND libraries libssh libmicrohttpd sqlite3 miniupnpc libcurl libsystemd)
endif()
foreach(library IN LISTS libraries)
    string(TOUPPER ${library} prefix)
    pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET ${library})
endforeach()
if(NOT SALLYPORT_CLIENT_ONLY)
    # It has no pkg-config file.
    find_library(NATPMP_LIBRARY natpmp REQUIRED)
    find_path(NATPMP_INCLUDE_DIR natpmp.h REQUIRED)
endif()

check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Debug)
endif()

configure_file("${CMAKE_CURRENT_LIST_DIR}/sallyport_version.h.in"
               "${PROJECT_BINARY_DIR}/generated/sallyport_version.h" @ONLY)

add_library(sallyport_flags INTERFACE)
target_compile_features(sallyport_flags INTERFACE c_std_17)
target_compile_definitions(sallyport_flags INTERFACE _GNU_SOURCE)
target_compile_options(sallyport_flags INTERFACE
    -std=c17 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wundef -Wcast-qual -Wwrite-strings -Wvla)
target_include_directories(sallyport_flags INTERFACE
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/generated")

if(SALLYPORT_WERROR)
    target_compile_options(sallyport_flags INTERFACE -Werror)
endif()

if(SALLYPORT_SANITIZE)
    target_compile_options(sallyport_flags INTERFACE
        -fsanitize=${SALLYPORT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(sallyport_flags INTERFACE -fsanitize=${SALLYPORT_SANITIZE})
endif()

if(SALLYPORT_FUZZ)
    target_compile_options(sallyport_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(SALLYPORT_HARDEN)
    target_compile_definitions(sallyport_flags INTERFACE _FORTIFY_SOURCE=2)
    target_compile_options(sallyport_flags INTERFACE -fstack-protector-strong -fstack-clash-protection)
    target_link_options(sallyport_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
    check_c_compiler_flag(-fcf-protection SALLYPORT_HAS_CF_PROTECTION)
    if(SALLYPORT_HAS_CF_PROTECTION)
        target_compile_options(sallyport_flags INTERFACE -fcf-protection)
    endif()
endif()

# sallyport_room(NAME SOURCES a.c b.c [USES room...] [LIBS target...])
# One static library sp_NAME. Foreign libraries stay PRIVATE: who uses the room does not see their headers. PRIVATE
# headers of the room lie beside its sources.
function(sallyport_room name)
    cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES;USES;LIBS")
    add_library(sp_${name} STATIC ${room_SOURCES})
    target_include_directories(sp_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(sp_${name} PRIVATE sallyport_flags Threads::Threads ${room_LIBS})
    foreach(other IN LISTS room_USES)
        target_link_libraries(sp_${name} PUBLIC sp_${other})
    endforeach()
endfunction()

# sallyport_program(NAME SOURCES main.c ROOM room)
# Left out when SALLYPORT_ROOMS leaves out its room.
function(sallyport_program name)
    cmake_parse_arguments(PARSE_ARGV 1 program "" "ROOM" "SOURCES")
    if(NOT TARGET sp_${program_ROOM})
        return()
    endif()
    add_executable(${name} ${program_SOURCES})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    target_link_libraries(${name} PRIVATE sallyport_flags sp_${program_ROOM} sp_base)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# sallyport_unit_test(ROOM test_x.c [LIBS target...])
# One cmocka program ROOM.x; it may include the room's private headers.
function(sallyport_unit_test room source)
    cmake_parse_arguments(PARSE_ARGV 2 test "" "" "LIBS")
    string(REGEX REPLACE "^test_(.*)\\.c$" "\\1" noun "${source}")
    set(target unit_${room}_${noun})
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src/${room}")
    target_link_libraries(${target} PRIVATE sallyport_flags sp_${room} PkgConfig::CMOCKA Threads::Threads ${test_LIBS})
    add_test(NAME ${room}.${noun} COMMAND "${PROJECT_SOURCE_DIR}/tests/alone" "$<TARGET_FILE:${target}>")
    set_tests_properties(${room}.${noun} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# sallyport_fuzz(NAME fuzz_x.c ROOM [LIBS target...])
# With SALLYPORT_FUZZ a libFuzzer program fuzz_NAME; without it the same target replays corpus/NAME as a test.
function(sallyport_fuzz name source room)
    cmake_parse_arguments(PARSE_ARGV 3 fuzz "" "" "LIBS")
    set(target fuzz_${name})
    set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name}")
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src/${room}")
    target_link_libraries(${target} PRIVATE sallyport_flags sp_${room} ${fuzz_LIBS})
    if(SALLYPORT_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        add_test(NAME fuzz.${name} COMMAND ${target} -runs=20000 -max_total_time=20 -seed=1
                 "${CMAKE_CURRENT_BINARY_DIR}/new/${name}" "${corpus}")
        file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/new/${name}")
    else()
        target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c")
        add_test(NAME fuzz.${name} COMMAND ${target} "${corpus}")
    endif()
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
