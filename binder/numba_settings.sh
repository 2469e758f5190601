# The image is built on one machine and run on another. Compiled kernels are found again only if
# both name the same processor: the x86-64-v3 level, which every machine since about 2015 has.
export NUMBA_CPU_NAME=x86-64-v3
export NUMBA_CPU_FEATURES=
