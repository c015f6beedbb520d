// The peer: llama.cpp measured through libllama itself, in a process that a driver talks to line by line, so that both engines can take turns.
// Usage: peer MODEL.gguf THREADS [CONTEXT [f16|f32]]. Commands on stdin, one answer line each on stdout:
//   info               what runs: version, processor features, parameters, bytes, vocabulary
//   context N          makes the cache hold N positions
//   prompt N           seconds to process N tokens in an empty cache, logits of the last
//   decode N           seconds per token over N decode steps behind the context, the greedy choice included; the cache is as before then
//   pass K             seconds of one pass of K rows behind the context, logits of all; the cache is as before then
//   greedy N ID...     the N greedy tokens after these, whatever they are
//   logits ID...       the logits after these
//   tokenize 0|1 HEX   ids of a text (UTF-8 as hexadecimal), special tokens added and recognised (1) or not (0)
// An answer that begins with "error " is one. The cache is llama.cpp's default (float16, flash attention where it likes); f32 takes both off.
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"

#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kPoll = 50;  // ggml's own default: workers spin for a while, then sleep

double seconds_of(auto && work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The functions of the processor's variant of the library, which was loaded by ggml and is not linked.
struct cpu_functions {
    decltype(&ggml_threadpool_new)   create;
    decltype(&ggml_threadpool_pause) pause;

    cpu_functions() {
        ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (device == nullptr) {
            throw std::runtime_error("no processor backend was found beside the library");
        }
        void * address = ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_threadpool_new");
        Dl_info info;
        if (address == nullptr || dladdr(address, &info) == 0) {
            throw std::runtime_error("the processor backend has no thread pools");
        }
        void * library = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
        create = reinterpret_cast<decltype(create)>(address);
        pause  = reinterpret_cast<decltype(pause)>(library == nullptr ? nullptr : dlsym(library, "ggml_threadpool_pause"));
        if (pause == nullptr) {
            throw std::runtime_error("the processor backend's thread pools cannot pause");
        }
    }
};

class peer {
public:
    peer(const std::string & path, int threads, int context, bool float32) {
        llama_model_params model_params = llama_model_default_params();
        model_ = llama_model_load_from_file(path.c_str(), model_params);
        if (model_ == nullptr) {
            throw std::runtime_error("the model cannot be loaded");
        }
        llama_context_params params = llama_context_default_params();
        params.n_ctx           = context;
        params.n_batch         = 2048;
        params.n_threads       = threads;
        params.n_threads_batch = threads;
        params.no_perf         = true;
        if (float32) {
            params.type_k = params.type_v = GGML_TYPE_F32;
            params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        }
        context_ = llama_init_from_model(model_, params);
        if (context_ == nullptr) {
            throw std::runtime_error("no context of this size can be made");
        }
        ggml_threadpool_params pool_params = ggml_threadpool_params_default(threads);
        pool_params.poll = kPoll;
        pool_ = cpu_.create(&pool_params);
        llama_attach_threadpool(context_, pool_, pool_);
        vocab_ = llama_model_get_vocab(model_);
        batch_ = llama_batch_init(2048, 0, 1);
    }

    std::string answer(const std::string & line) {
        std::istringstream in(line);
        std::string        command;
        in >> command;
        std::ostringstream out;
        out.precision(9);
        if (command == "info") {
            info(out);
        } else if (command == "context") {
            fill(number(in));
            out << "ok";
        } else if (command == "prompt") {
            const int count = number(in);
            out << seconds_of([&] { fill(count); });
        } else if (command == "decode") {
            out << decode(number(in));
        } else if (command == "pass") {
            out << pass(number(in));
        } else if (command == "greedy") {
            greedy(in, out);
        } else if (command == "logits") {
            run(numbers(in));
            const float * logits = llama_get_logits_ith(context_, -1);
            for (int i = 0; i < size(); i++) {
                out << (i == 0 ? "" : " ") << logits[i];
            }
        } else if (command == "tokenize") {
            tokenize(in, out);
        } else {
            throw std::runtime_error("unknown command '" + command + "'");
        }
        // Workers that spin would disturb whoever is measured next.
        cpu_.pause(pool_);
        return out.str();
    }

private:
    cpu_functions        cpu_;
    llama_model *        model_   = nullptr;
    llama_context *      context_ = nullptr;
    ggml_threadpool *    pool_    = nullptr;
    const llama_vocab *  vocab_   = nullptr;
    llama_batch          batch_   = {};
    int                  length_  = 0;  // positions in the cache

    int size() const { return llama_vocab_n_tokens(vocab_); }

    llama_token token_at(int position) const { return static_cast<llama_token>((position * 7919LL + 13) % size()); }

    static int number(std::istream & in) {
        int value = -1;
        if (!(in >> value) || value < 0) {
            throw std::runtime_error("a number is missing");
        }
        return value;
    }

    static std::vector<llama_token> numbers(std::istream & in) {
        std::vector<llama_token> values;
        for (llama_token value; in >> value;) {
            values.push_back(value);
        }
        if (values.empty()) {
            throw std::runtime_error("token ids are missing");
        }
        return values;
    }

    // Runs the rows in the batch behind the cache.
    void forward() {
        if (length_ + batch_.n_tokens > static_cast<int>(llama_n_ctx(context_))) {
            throw std::runtime_error("the context is full");
        }
        if (llama_decode(context_, batch_) != 0) {
            throw std::runtime_error("llama_decode failed");
        }
        llama_synchronize(context_);
        length_ += batch_.n_tokens;
    }

    void add(llama_token token, bool logits) {
        if (token < 0 || token >= size()) {
            throw std::runtime_error("a token id is out of range");
        }
        const int i = batch_.n_tokens++;
        batch_.token[i]     = token;
        batch_.pos[i]       = length_ + i;
        batch_.n_seq_id[i]  = 1;
        batch_.seq_id[i][0] = 0;
        batch_.logits[i]    = logits;
    }

    void cut(int length) {
        llama_memory_seq_rm(llama_get_memory(context_), 0, length, -1);
        length_ = length;
    }

    void clear() {
        llama_memory_clear(llama_get_memory(context_), false);
        length_ = 0;
    }

    void run(const std::vector<llama_token> & tokens) {
        clear();
        const size_t most = llama_n_batch(context_);
        for (size_t start = 0; start < tokens.size(); start += most) {
            batch_.n_tokens = 0;
            for (size_t i = start; i < tokens.size() && i < start + most; i++) {
                add(tokens[i], i + 1 == tokens.size());
            }
            forward();
        }
    }

    void fill(int count) {
        std::vector<llama_token> tokens;
        for (int i = 0; i < count; i++) {
            tokens.push_back(token_at(i));
        }
        run(tokens);
    }

    llama_token best() const {
        const float * logits = llama_get_logits_ith(context_, -1);
        llama_token   best   = 0;
        for (int i = 1; i < size(); i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    double decode(int steps) {
        const int  before = length_;
        const double time = seconds_of([&] {
            llama_token token = token_at(length_);
            for (int i = 0; i < steps; i++) {
                batch_.n_tokens = 0;
                add(token, true);
                forward();
                token = best();
            }
        });
        cut(before);
        return time / steps;
    }

    double pass(int rows) {
        const int before = length_;
        batch_.n_tokens = 0;
        for (int i = 0; i < rows && i < 2048; i++) {
            add(token_at(length_ + i), true);
        }
        const double time = seconds_of([&] { forward(); });
        cut(before);
        return time;
    }

    void greedy(std::istream & in, std::ostream & out) {
        const int steps = number(in);
        run(numbers(in));
        for (int i = 0; i < steps; i++) {
            const llama_token token = best();
            out << (i == 0 ? "" : " ") << token;
            batch_.n_tokens = 0;
            add(token, true);
            if (i + 1 < steps) {
                forward();
            }
        }
    }

    void tokenize(std::istream & in, std::ostream & out) const {
        const bool  special = number(in) != 0;
        std::string hex;
        std::string text;
        in >> hex;
        for (size_t i = 0; i + 1 < hex.size(); i += 2) {
            text.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
        }
        std::vector<llama_token> ids(text.size() + 8);
        ids.resize(llama_tokenize(vocab_, text.data(), text.size(), ids.data(), ids.size(), special, special));
        for (size_t i = 0; i < ids.size(); i++) {
            out << (i == 0 ? "" : " ") << ids[i];
        }
    }

    void info(std::ostream & out) const {
        out << "llama.cpp " << llama_version() << "; parameters " << llama_model_n_params(model_) << "; bytes " << llama_model_size(model_) << "; vocabulary " << size() << "; "
            << llama_print_system_info();
    }
};

void quiet(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        std::fputs(text, stderr);
    }
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 3) {
        std::fputs("usage: peer MODEL.gguf THREADS [CONTEXT [f16|f32]]\n", stderr);
        return 2;
    }
    llama_log_set(quiet, nullptr);
    ggml_backend_load_all_from_path(PEER_LIBRARIES);
    llama_backend_init();
    try {
        peer engine(argv[1], std::atoi(argv[2]), argc > 3 ? std::atoi(argv[3]) : 4608, argc > 4 && std::string(argv[4]) == "f32");
        std::puts("ready");
        std::fflush(stdout);
        for (std::string line; std::getline(std::cin, line) && line != "quit";) {
            std::string answer;
            try {
                answer = engine.answer(line);
            } catch (const std::exception & e) {
                answer = std::string("error ") + e.what();
            }
            std::puts(answer.c_str());
            std::fflush(stdout);
        }
    } catch (const std::exception & e) {
        std::printf("error %s\n", e.what());
        return 1;
    }
    // The pool and the model go with the process.
    return 0;
}
