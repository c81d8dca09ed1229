#!/usr/bin/env bash
# Runs the workflow on thirteen short clips, one of them broken, and compares the tables: with Snakemake undisturbed, with a shard that is
# refused at first, and killed at three moments; without an engine, in 1, 2 and 5 shards; with Slurm, on this machine alone.
#
#   scripts/workflow-test.sh [MIEN]     MIEN: the program (default: the release build, else the debug build)
#
#   MIEN_TEST_SLURM=no                  leaves Slurm out
#
# Needs ffmpeg, Python with venv and, for Slurm, root and the Debian packages slurm-wlm and munge. Installs Snakemake from PyPI into a
# virtual environment in the cache folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=workflow-test
. scripts/parts/common.sh

SNAKEMAKE_VERSION=9.27.1
CORES=2
PATIENCE=900
# The file with which a run locks its folder.
LOCK=.mien-lock

target=${CARGO_TARGET_DIR:-target}
mien=${1:-$target/release/mien}
[ $# -gt 0 ] || [ -x "$mien" ] || mien=$target/debug/mien
mien=$(realpath "$mien")
[ -x "$mien" ] || die "there is no program at $mien; build it first, or name it"
have ffmpeg || die "ffmpeg is not installed; scripts/setup.sh --tests installs it"
[ -f "$DEMO_CLIP" ] || die "the demo clip is not there; scripts/setup.sh fetches it"

home=$(mktemp -d)
children=()
rows=()
finish() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    [ -n "${KEEP:-}" ] || rm -rf "$home"
}
trap finish EXIT

snakemake() {
    local venv=$CACHE/snakemake-$SNAKEMAKE_VERSION
    if [ ! -x "$venv/bin/snakemake" ]; then
        say "installing Snakemake $SNAKEMAKE_VERSION in $venv"
        python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "snakemake==$SNAKEMAKE_VERSION" ||
            die "Snakemake can't be installed"
    fi
    SNAKEMAKE=$venv/bin/snakemake
}

clips() {
    mkdir "$home/in"
    for number in $(seq 1 12); do
        # Of different lengths, so that shards have something to balance.
        ffmpeg -nostdin -loglevel error -ss "$number" -i "$DEMO_CLIP" -t "$((number % 4 + 1))" -an -c:v mpeg4 -q:v 4 \
            "$home/in/clip-$(printf %02d "$number").mp4"
    done
    echo 'this is no video' >"$home/in/broken.mp4"
}

# workflow RESULTS [ARGUMENT...]
workflow() {
    local results=$1
    shift
    "$SNAKEMAKE" --snakefile workflow/Snakefile --directory "$home" --profile workflow/profiles/laptop --cores "$CORES" "$@" \
        --config "mien=$mien" "input=$home/in" "results=$results" shards=4 threads=1 options=--summary retries=2
}

# kill_tree SESSION: kills all processes of a session with SIGKILL
kill_tree() {
    local session=$1 pids
    for _ in 1 2 3; do
        pids=$(ps -o pid= -s "$session") || break
        # shellcheck disable=SC2086
        kill -9 $pids 2>/dev/null || true
        sleep 0.2
    done
}

tables() { find "$home/$1" -name '*.parquet' -not -path '*/.mien-part-*' -not -name 'all*' 2>/dev/null | wc -l; }
retries() { cat "$@" | grep -c 'Trying to restart job' || true; }
sum() { sha256sum <"$1" | cut -c1-16; }

# disturbed NAME TABLES: kills a run once this many tables are there, resumes it and compares
disturbed() {
    local results=$1 wanted=$2 begin=$SECONDS runner
    setsid bash -c "$(declare -f workflow); SNAKEMAKE='$SNAKEMAKE' home='$home' CORES=$CORES mien='$mien' workflow $results" \
        >"$home/$results.out" 2>&1 &
    runner=$!
    until [ "$(tables "$results")" -ge "$wanted" ]; do
        kill -0 "$runner" 2>/dev/null || { cat "$home/$results.out"; die "the run ended before it was killed"; }
        [ $((SECONDS - begin)) -lt "$PATIENCE" ] || die "no $wanted tables after $PATIENCE s"
        sleep 0.1
    done
    kill_tree "$runner"
    wait "$runner" 2>/dev/null || true
    local left
    left=$(tables "$results")
    "$SNAKEMAKE" --snakefile workflow/Snakefile --directory "$home" --unlock --config "mien=$mien" "input=$home/in" \
        "results=$results" >/dev/null 2>&1
    workflow "$results" >"$home/$results-resumed.out" 2>&1 || { cat "$home/$results-resumed.out"; die "the resumed run failed"; }
    compare "Snakemake, 4 shards, killed and resumed" "$left of 12" "$(retries "$home/$results.out" "$home/$results-resumed.out")" \
        "$results/all.parquet" $((SECONDS - begin))
}

# compare WHAT FILES_WHEN_KILLED RETRIES TABLE SECONDS
compare() {
    local now
    now=$(sum "$home/$4")
    say "$1${2:+ at $2 files}: $5 s${3:+, $3 retries}, table $now"
    rows+=("$1|${2:--}|${3:--}|$5|$now")
    [ "$now" = "$expected" ] || die "the table differs from $expected"
}

# A shard whose folder another run is writing to exits with 75, and Snakemake tries again.
refused_at_first() {
    local results=refused begin=$SECONDS folder=$home/refused/shards/2 retries
    mkdir -p "$folder"
    # shellcheck disable=SC2016
    flock "$folder/$LOCK" bash -c 'until grep -qs "is writing to" "$1"; do sleep 0.1; done' hold "$folder.log" &
    children+=($!)
    until ! flock --nonblock "$folder/$LOCK" true; do sleep 0.1; done
    workflow $results >"$home/$results.out" 2>&1 || { cat "$home/$results.out"; die "the run failed"; }
    retries=$(retries "$home/$results.out")
    [ "$retries" -gt 0 ] || die "the shard was not tried again"
    compare "Snakemake, 4 shards, one refused at first" '' "$retries" $results/all.parquet $((SECONDS - begin))
}

run_snakemake() {
    local begin=$SECONDS
    workflow undisturbed >"$home/undisturbed.out" 2>&1 || { cat "$home/undisturbed.out"; die "the run failed"; }
    expected=$(sum "$home/undisturbed/all.parquet")
    compare "Snakemake, 4 shards, undisturbed" '' "$(retries "$home/undisturbed.out")" undisturbed/all.parquet $((SECONDS - begin))
    grep -q 'broken.mp4' "$home/undisturbed/merge.log" || die "the broken file isn't listed"
    [ -f "$home/undisturbed/all.summary.csv" ] && [ -f "$home/undisturbed/shards/index.html" ] || die "summary or index is missing"
    refused_at_first
    disturbed killed-early 1
    disturbed killed-halfway 6
    disturbed killed-late 12
}

# One machine, no engine: without a plan, and in shards.
run_by_hand() {
    local begin=$SECONDS shards number results
    (cd "$home" && "$mien" analyze in --output single --parquet --together --threads 1 --allow-bad >single.log 2>&1) || {
        cat "$home/single.log"
        die "the single run failed"
    }
    compare "mien analyze" '' '' single/together.parquet $((SECONDS - begin))
    (cd "$home" && "$mien" plan in >manifest.jsonl 2>/dev/null)
    for shards in 1 2 5; do
        begin=$SECONDS
        results=$home/by-hand-$shards
        for number in $(seq $shards); do
            "$mien" analyze --manifest "$home/manifest.jsonl" --shard "$number/$shards" --output "$results/$number" --parquet --threads 1 \
                --allow-bad >"$results.log" 2>&1 || { cat "$results.log"; die "shard $number of $shards failed"; }
        done
        "$mien" merge "$results" --manifest "$home/manifest.jsonl" --output "$results/all.parquet" --allow-bad >"$results.log" 2>&1 ||
            { cat "$results.log"; die "the merge failed"; }
        compare "mien analyze --shard, shards: $shards" '' '' "by-hand-$shards/all.parquet" $((SECONDS - begin))
    done
}

slurm_config() {
    mkdir -p "$home/slurm/state" "$home/slurm/spool" "$home/slurm/munge"
    local name
    name=$(hostname -s)
    cat >"$home/slurm/slurm.conf" <<CONF
ClusterName=mien-test
SlurmctldHost=$name
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$home/slurm/munge/socket
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$home/slurm/slurmctld.pid
SlurmdPidFile=$home/slurm/slurmd.pid
SlurmctldLogFile=$home/slurm/slurmctld.log
SlurmdLogFile=$home/slurm/slurmd.log
StateSaveLocation=$home/slurm/state
SlurmdSpoolDir=$home/slurm/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_min_interval=100000
NodeName=$name CPUs=$CORES RealMemory=4000 State=UNKNOWN
PartitionName=test Nodes=$name Default=YES MaxTime=INFINITE State=UP
CONF
}

# daemon COMMAND...: starts a daemon and checks that it is still alive a moment later
daemon() {
    "$@" >>"$home/slurm/daemons.log" 2>&1 &
    children+=($!)
    sleep 2
    kill -0 $! 2>/dev/null
}

start_slurm() {
    [ "$(id -u)" = 0 ] && have munged && have slurmctld && have slurmd && have sbatch || return 1
    slurm_config
    export SLURM_CONF=$home/slurm/slurm.conf
    dd if=/dev/urandom of="$home/slurm/munge/key" bs=128 count=1 status=none
    chmod 400 "$home/slurm/munge/key"
    chmod 755 "$home" "$home/slurm" "$home/slurm/munge"
    daemon munged --foreground --force --key-file="$home/slurm/munge/key" --socket="$home/slurm/munge/socket" \
        --pid-file="$home/slurm/munge/pid" --log-file="$home/slurm/munge/log" --seed-file="$home/slurm/munge/seed" || return 1
    daemon slurmctld -D || return 1
    daemon slurmd -D || return 1
    for _ in $(seq 20); do
        sinfo --noheader --format=%T 2>/dev/null | grep -q idle && return
        sleep 1
    done
    return 1
}

# stand_in TASKS: runs the tasks one after another, with the variables that Slurm sets
stand_in() {
    for number in $(seq 1 "$1"); do
        SLURM_ARRAY_JOB_ID=1 SLURM_ARRAY_TASK_ID=$number SLURM_ARRAY_TASK_COUNT=$1 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=$1 \
            SLURM_CPUS_PER_TASK=1 MIEN=$mien bash workflow/mien.sbatch "$home/manifest.jsonl" "$home/slurm-results" \
            >"$home/task-$number.log" 2>&1 || { cat "$home/task-$number.log"; die "task $number failed"; }
    done
}

run_slurm() {
    local begin=$SECONDS shards=3 job how
    if start_slurm; then
        how="Slurm $(sbatch --version | cut -d' ' -f2)"
        begin=$SECONDS
        job=$(MIEN=$mien sbatch --parsable --array=1-$shards --cpus-per-task=1 --mem=1G --chdir="$PWD" --output="$home/task-%a.log" \
            workflow/mien.sbatch "$home/manifest.jsonl" "$home/slurm-results")
        while [ -n "$(squeue --noheader --jobs="$job" 2>/dev/null)" ]; do
            [ $((SECONDS - begin)) -lt "$PATIENCE" ] || { squeue; tail -20 "$home/slurm/slurmctld.log"; die "the array doesn't end"; }
            sleep 1
        done
    else
        say "Slurm can't be run here$([ ! -f "$home/slurm/daemons.log" ] || tail -1 "$home/slurm/daemons.log" | sed 's/^/: /'); the array runs by a stand-in"
        how="stand-in for Slurm"
        stand_in $shards
    fi
    "$mien" merge "$home/slurm-results" --manifest "$home/manifest.jsonl" --output "$home/slurm-results/all.parquet" --allow-bad \
        >"$home/slurm-merge.log" 2>&1 || { cat "$home/slurm-merge.log" "$home"/task-*.log; die "the merge failed"; }
    compare "$how, array of $shards" '' '' slurm-results/all.parquet $((SECONDS - begin))
}

snakemake
clips
run_snakemake
run_by_hand
[ "${MIEN_TEST_SLURM:-yes}" = no ] || run_slurm
printf '%s\n' "${rows[@]}" | column -t -s '|' -N run,killed_at,retries,seconds,table
say "all tables are the same"
