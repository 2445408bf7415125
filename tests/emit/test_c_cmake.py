"""The emitted folder as a CMake project: installed and found, below another project, two of them side by side."""

import shutil
import subprocess

import pytest

import pertheory as pt

pytestmark = pytest.mark.skipif(not shutil.which("cmake"), reason="needs cmake")

USE = """
#include "mlp_order0.h"
#include "residual_order0.h"
int main(void) { return mlp_order0_theory.abi != residual_order0_theory.abi; }
"""
LINK = """
enable_testing()
add_executable(use use.c)
add_test(NAME use COMMAND use)
target_link_libraries(use PRIVATE pertheory::mlp_order0 pertheory::residual_order0)
"""
HEAD = "cmake_minimum_required(VERSION 3.14)\nproject(user C)\n"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Two theories below one parent, built, tested and installed together; the place of the installation."""
    place = tmp_path_factory.mktemp("cmake")
    for network in ("mlp", "residual"):
        pt.theory(network, "all", 0).emit("c", place / network, activation="x^2")
    (place / "use.c").write_text(USE)
    (place / "CMakeLists.txt").write_text(f"{HEAD}add_subdirectory(mlp)\nadd_subdirectory(residual)\n{LINK}")
    run("cmake", "-S", place, "-B", place / "build", "-DCMAKE_INSTALL_LIBDIR=lib", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", place / "build")
    tests = run("ctest", cwd=place / "build")
    assert "100% tests passed, 0 tests failed out of 3" in tests
    for name in ("mlp_order0_selftest", "residual_order0_selftest", "use"):
        assert name in tests
    run("cmake", "--install", place / "build", "--prefix", "prefix", cwd=place)
    return place / "prefix"


def test_the_installation_is_whole(installed):
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    for name in ("mlp_order0", "residual_order0"):
        package = f"lib/cmake/{name}/{name}"
        assert {f"{package}Config.cmake", f"{package}ConfigVersion.cmake", f"lib/lib{name}.a"} <= found
        assert {f"lib/pkgconfig/{name}.pc", f"include/{name}.h", "include/pertheory.h"} <= found


def test_two_activations_of_one_network_stand_side_by_side(tmp_path):
    """They have one NAME, so no program can have both; each has targets of its own all the same."""
    for power in (2, 3):
        pt.theory("mlp", "G", 0).emit("c", tmp_path / f"x-{power}", activation=f"x^{power}")
    (tmp_path / "use.c").write_text('#include "mlp_order0.h"\nint main(void) { return !mlp_order0_theory.abi; }\n')
    (tmp_path / "CMakeLists.txt").write_text(
        f"{HEAD}enable_testing()\nadd_subdirectory(x-2)\nadd_subdirectory(x-3)\n"
        "add_executable(two use.c)\ntarget_link_libraries(two pertheory::mlp_order0)\n"
        "add_executable(three use.c)\ntarget_link_libraries(three pertheory::mlp_order0_x_3)\n"
    )
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-DCMAKE_BUILD_TYPE=Debug")
    run("cmake", "--build", tmp_path / "build")
    assert "100% tests passed, 0 tests failed out of 2" in run("ctest", cwd=tmp_path / "build")
    run("cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "prefix")
    assert len(list((tmp_path / "prefix").rglob("*.pc"))) == 1


def test_find_package_finds_it(installed, tmp_path):
    (tmp_path / "use.c").write_text(USE)
    found = f"find_package(mlp_order0 {pt.__version__} REQUIRED)\nfind_package(residual_order0 REQUIRED)\n"
    (tmp_path / "CMakeLists.txt").write_text(HEAD + found + LINK)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", tmp_path / "build")
    assert "100% tests passed" in run("ctest", cwd=tmp_path / "build")


def test_pkg_config_finds_it(installed, tmp_path):
    text = (installed / "lib" / "pkgconfig" / "mlp_order0.pc").read_text()
    assert text.splitlines()[0] == f"prefix={installed}"
    if not shutil.which("pkg-config"):
        pytest.skip("needs pkg-config")
    flags = run(
        "pkg-config",
        "--cflags",
        "--libs",
        "mlp_order0",
        env={"PKG_CONFIG_PATH": str(installed / "lib/pkgconfig"), "PATH": "/usr/bin:/bin"},
    )
    assert flags.split() == [f"-I{installed}/include", f"-L{installed}/lib", "-lmlp_order0", "-lm"]


def test_a_shared_library_with_openmp_builds_as_a_project_of_its_own(installed, tmp_path):
    source = installed.parent / "mlp"
    flags = ["-DBUILD_SHARED_LIBS=ON", "-DWITH_OPENMP=ON", "-DBUILD_TESTING=OFF", "-DCMAKE_BUILD_TYPE=Debug"]
    run("cmake", "-S", source, "-B", tmp_path, *flags)
    run("cmake", "--build", tmp_path)
    assert list(tmp_path.glob("libmlp_order0.*"))
    assert not list(tmp_path.glob("*selftest*"))
