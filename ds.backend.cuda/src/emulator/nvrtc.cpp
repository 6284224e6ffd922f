// NVRTC for the emulated device: compiles kernels for the host with g++ and device.h. What it calls a cubin is the path of the library.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>

namespace {
struct Program {
    std::string source, log, image;
};

// DS_EMULATOR is the folder of device.h.
std::string read(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}
void write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}
} // namespace

extern "C" {
int nvrtcVersion(int* major, int* minor) {
    *major = 13;
    *minor = 0;
    return 0;
}
const char* nvrtcGetErrorString(int status) {
    return status == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_SUCCESS";
}
int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*, const char* const*) {
    *program = new Program{source, "", ""};
    return 0;
}
int nvrtcCompileProgram(Program* program, int, const char* const*) {
    const char* temporary = getenv("TMPDIR");
    std::string at = std::string(temporary ? temporary : "/tmp") + "/ds-emulator-XXXXXX";
    if (!mkdtemp(at.data())) return 1;
    std::string flags = "-std=c++20 -O2 -ffp-contract=off -fPIC -w ";
    write(at + "/kernels.cpp", program->source);
    std::string preprocess = "g++ -std=c++20 -E -P -include " DS_EMULATOR "/device.h " + at + "/kernels.cpp -o " + at + "/all.cpp 2> " + at + "/log";
    if (system(preprocess.c_str()) != 0) {
        program->log = read(at + "/log");
        return 6;
    }
    std::string text = read(at + "/all.cpp");
    std::regex kernel("DS_GLOBAL\\s+void\\s+(\\w+)\\s*\\(");
    std::set<std::string> names;
    for (std::sregex_iterator i(text.begin(), text.end(), kernel), end; i != end; ++i) names.insert((*i)[1]);
    for (const auto& name : names)
        text += "extern \"C\" void launch_" + name + "(void** p, const unsigned* dims, unsigned shared) {\n"
                "    emulated::launch(&" + name + ", p, dims, shared);\n}\n";
    write(at + "/all.cpp", text);
    std::string compile = "g++ " + flags + "-DDS_GLOBAL= -shared -o " + at + "/kernels.so " + at + "/all.cpp 2> " + at + "/log";
    int status = system(compile.c_str());
    program->log = read(at + "/log");
    program->image = at + "/kernels.so";
    return status == 0 ? 0 : 6;
}
int nvrtcGetProgramLogSize(Program* program, size_t* size) {
    *size = program->log.size() + 1;
    return 0;
}
int nvrtcGetProgramLog(Program* program, char* log) {
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return 0;
}
int nvrtcGetCUBINSize(Program* program, size_t* size) {
    *size = program->image.size() + 1;
    return 0;
}
int nvrtcGetCUBIN(Program* program, char* image) {
    memcpy(image, program->image.c_str(), program->image.size() + 1);
    return 0;
}
int nvrtcDestroyProgram(Program** program) {
    delete *program;
    *program = nullptr;
    return 0;
}
}
