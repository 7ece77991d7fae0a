# Builds the native CPU backend into STAGE, with a record of what it was built for. On failure STAGE holds the record
# alone, with the reason.
# Variables: SOURCE, BINARY, STAGE, PYTHON, GENERATOR, MAKE_PROGRAM (the generator's, which need not be on the path),
# WARNINGS_ARE_ERRORS (may be empty: then they are what they were in BINARY before).

function(record_failure step log)
  string(LENGTH "${log}" length)
  if(length GREATER 2000)
    math(EXPR start "${length} - 2000")
    string(SUBSTRING "${log}" ${start} -1 log)
  endif()
  string(REGEX REPLACE "[\"\\]" "'" log "${log}")
  string(REGEX REPLACE "[\t\r]" " " log "${log}")
  string(REPLACE "\n" "\\n" log "${log}")
  file(WRITE "${STAGE}/native_build.json" "{\"built\": false, \"reason\": \"${step} failed\", \"log\": \"${log}\"}\n")
  message(WARNING "mlxr: the native CPU backend was not built (${step} failed); plain MLX operations will be used.")
endfunction()

file(REMOVE_RECURSE "${STAGE}")
file(MAKE_DIRECTORY "${STAGE}" "${BINARY}")

# BINARY may stay from build to build. What it was configured for it goes on being built for, or refuses: a folder of
# another Python, compiler or generator, or one that was moved, is configured anew. Objects stay, for Ninja to judge.
execute_process(COMMAND "${PYTHON}" -VV OUTPUT_VARIABLE version ERROR_VARIABLE version)
set(made_for "${SOURCE}\n${BINARY}\n${GENERATOR}\n${PYTHON}\n${version}\n$ENV{CXX}\n$ENV{CXXFLAGS}\n")
set(was_made_for "")
if(EXISTS "${BINARY}/made_for.txt")
  file(READ "${BINARY}/made_for.txt" was_made_for)
endif()
if(NOT was_made_for STREQUAL made_for)
  file(REMOVE "${BINARY}/CMakeCache.txt")
  file(REMOVE_RECURSE "${BINARY}/CMakeFiles/${CMAKE_VERSION}")
  file(WRITE "${BINARY}/made_for.txt" "${made_for}")
endif()

if(WARNINGS_ARE_ERRORS)
  set(strict -DCMAKE_COMPILE_WARNING_AS_ERROR=ON)
endif()
execute_process(
  COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BINARY}" -G "${GENERATOR}" -DCMAKE_BUILD_TYPE=Release
          "-DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM}" "-DPython_EXECUTABLE=${PYTHON}" "-DMLXR_STAGE=${STAGE}"
          ${strict}
  RESULT_VARIABLE status OUTPUT_VARIABLE log ERROR_VARIABLE log)
if(NOT status EQUAL 0)
  record_failure("configuring" "${log}")
  return()
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}" --parallel 2
  RESULT_VARIABLE status OUTPUT_VARIABLE log ERROR_VARIABLE log)
message(STATUS "${log}")
if(NOT status EQUAL 0)
  record_failure("compiling" "${log}")
  return()
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BINARY}" --prefix "${STAGE}"
  RESULT_VARIABLE status OUTPUT_VARIABLE log ERROR_VARIABLE log)
if(NOT status EQUAL 0)
  record_failure("installing" "${log}")
endif()
