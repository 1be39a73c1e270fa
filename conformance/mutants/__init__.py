"""Planted faults: what the suite is worth. Each fault is put into the library for a moment, and must be found.

mutant      a fault as a replacement in a text; in that of one function, and how it is planted
compiled    faults in the text of the compiled kernels, all in one library
check       a check: properties on fixed examples, and whether it finds a fault
checks_*    the checks, by what they look at
faults_*    the faults, by where they are, each with the checks that find it and checks that cannot
everything  all faults and all checks
"""
