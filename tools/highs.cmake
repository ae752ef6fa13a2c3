# Compiles HiGHS in unity batches: the same code in about a third of the time (bench/README.md).
set(CMAKE_UNITY_BUILD ON)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
