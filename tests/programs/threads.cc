// A C++ program with new, delete and containers on four threads; prints what it computed.

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

static std::mutex handing_over;
static std::vector<std::unique_ptr<std::string>> handed_over;

static unsigned long work(unsigned seed, int rounds) {
    unsigned long sum = 0, state = seed;
    std::map<unsigned long, std::string> ordered;
    std::unordered_map<unsigned long, std::vector<int>> hashed;
    for (int i = 0; i < rounds; i++) {
        state = state * 6364136223846793005UL + 1442695040888963407UL;
        unsigned long key = state >> 52;
        ordered[key] += std::string(key % 50, 'x');
        if (ordered[key].size() > 400)
            ordered.erase(key);
        std::vector<int> &row = hashed[key & 255];
        row.push_back(i);
        if (row.size() > 300)
            hashed.erase(key & 255);
        if (i % 100 == 0) {
            std::lock_guard<std::mutex> lock(handing_over);
            handed_over.push_back(std::make_unique<std::string>(key % 2000, 'y'));
            if (handed_over.size() > 50)
                handed_over.erase(handed_over.begin());     // another thread's, mostly
        }
    }
    for (const auto &entry : ordered)
        sum += entry.first * entry.second.size();
    for (const auto &entry : hashed)
        sum += entry.first * entry.second.size();
    return sum;
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 1000;
    std::vector<std::thread> threads;
    std::vector<unsigned long> sums(4);
    for (unsigned i = 0; i < 4; i++)
        threads.emplace_back([i, rounds, &sums] { sums[i] = work(i + 1, rounds); });
    for (auto &thread : threads)
        thread.join();
    for (unsigned long sum : sums)
        std::printf("%lu\n", sum);
}
