//! Files as PyTorch and NumPy write them, whole and damaged.

use std::io::Write as _;

use super::*;

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.bytes());
}

/// Adds what PyTorch pickles for a tensor in the storage `key`, which has five floats.
fn tensor(pickle: &mut Vec<u8>, key: &str, offset: u8, size: &[u8], stride: &[u8]) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(b"ctorch\nFloatStorage\n");
    text(pickle, key);
    text(pickle, "cpu");
    pickle.extend(b"K\x05tQK");
    pickle.push(offset);
    for numbers in [size, stride] {
        pickle.push(b'(');
        numbers.iter().for_each(|n| pickle.extend([b'K', *n]));
        pickle.push(b't');
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

/// What `torch.save({"a": tensor, "b": parameter}, …)` pickles: `a` is [[1, 2], [3, 4]] stored column by column, `b` the number after
/// it. Both share one storage of five floats.
fn pickled() -> Vec<u8> {
    let mut p = b"\x80\x02}(".to_vec();
    text(&mut p, "a");
    tensor(&mut p, "0", 0, &[2, 2], &[1, 2]);
    text(&mut p, "b");
    p.extend(b"ctorch._utils\n_rebuild_parameter\n(");
    tensor(&mut p, "0", 4, &[1], &[1]);
    p.extend(b"\x88ccollections\nOrderedDict\n)RtR");
    p.extend(b"u.");
    p
}

fn storage() -> Vec<u8> {
    [1.0_f32, 3.0, 2.0, 4.0, 5.0].iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zipped() -> Vec<u8> {
    zip(&[("weights/data.pkl", &pickled()), ("weights/data/0", &storage())])
}

/// A file in the older format, made of this pickle and these storages.
fn legacy(pickle: &[u8], storages: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.".to_vec();
    bytes.extend(pickle);
    bytes.extend(b"\x80\x02](");
    storages.iter().for_each(|(key, _)| text(&mut bytes, key));
    bytes.extend(b"e.");
    for (_, numbers) in storages {
        bytes.extend((numbers.len() as i64 / 4).to_le_bytes());
        bytes.extend(numbers);
    }
    bytes
}

fn npy(header: &str, numbers: &[f32]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    bytes
}

fn npz() -> Vec<u8> {
    let a = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", &[1.0, 3.0, 2.0, 4.0]);
    let b = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", &[5.0]);
    zip(&[("a.npy", &a), ("b.npy", &b)])
}

fn assert_read(bytes: &[u8]) {
    let tensors = tensors(bytes).unwrap();
    assert_eq!(tensors.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(tensors["a"].equal(&Tensor::from_slice2(&[[1.0_f32, 2.0], [3.0, 4.0]])), "{}", tensors["a"]);
    assert!(tensors["b"].equal(&Tensor::from_slice(&[5.0_f32])));
}

#[test]
fn files_of_pytorch_are_read_in_both_formats() {
    assert_read(&zipped());
    assert_read(&legacy(&pickled(), &[("0", storage())]));
}

#[test]
fn archives_of_numpy_are_read_in_both_orders() {
    assert_read(&npz());
}

#[test]
fn an_ordered_dictionary_of_python_2_gives_its_tensors() {
    // Python 2 makes it from a list of two-element lists; Python 3 makes an empty one and fills it.
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n](](".to_vec();
    text(&mut pickle, "a");
    tensor(&mut pickle, "0", 0, &[2, 2], &[1, 2]);
    pickle.extend(b"e](");
    text(&mut pickle, "b");
    tensor(&mut pickle, "0", 4, &[1], &[1]);
    pickle.extend(b"ee\x85R.");
    assert_read(&zip(&[("w/data.pkl", &pickle), ("w/data/0", &storage())]));
    assert_read(&legacy(&pickle, &[("0", storage())]));
}

#[test]
fn a_parameter_that_brings_a_state_is_a_tensor_as_others_are() {
    let mut pickle = b"\x80\x02}(".to_vec();
    text(&mut pickle, "a");
    pickle.extend(b"ctorch._utils\n_rebuild_parameter_with_state\n(");
    tensor(&mut pickle, "0", 0, &[2, 2], &[1, 2]);
    pickle.extend(b"\x88ccollections\nOrderedDict\n)R}tR");
    text(&mut pickle, "b");
    tensor(&mut pickle, "0", 4, &[1], &[1]);
    pickle.extend(b"u.");
    assert_read(&zip(&[("w/data.pkl", &pickle), ("w/data/0", &storage())]));
}

#[test]
fn tensors_of_other_kinds_are_named_and_not_left_out() {
    for function in [
        "torch._utils\n_rebuild_tensor_v3",
        "torch._utils\n_rebuild_qtensor",
        "torch._utils\n_rebuild_sparse_tensor",
        "torch._tensor\n_rebuild_from_type_v2",
    ] {
        let mut pickle = pickled();
        pickle.truncate(pickle.len() - 2);
        text(&mut pickle, "odd");
        pickle.extend(format!("c{function}\n)Ru.").bytes());
        let error = tensors(&zip(&[("w/data.pkl", &pickle), ("w/data/0", &storage())])).unwrap_err().to_string();
        assert!(error.contains("“odd”") && error.contains("unknown kind"), "{function}: {error}");
    }
}

#[test]
fn a_checkpoint_gives_its_weights_and_not_its_optimizer() {
    let mut pickle = b"\x80\x02}(".to_vec();
    text(&mut pickle, "model_state_dict");
    let weights = pickled();
    pickle.extend(&weights[2..weights.len() - 1]);
    text(&mut pickle, "momentum");
    tensor(&mut pickle, "1", 0, &[5], &[1]);
    pickle.extend(b"u.");
    assert_read(&zip(&[("c/data.pkl", &pickle), ("c/data/0", &storage()), ("c/data/1", &storage())]));
    // The storage that isn't needed comes first.
    assert_read(&legacy(&pickle, &[("1", storage()), ("0", storage())]));
}

#[test]
fn files_cut_anywhere_or_changed_anywhere_are_errors_or_tensors_and_never_a_crash() {
    for whole in [zipped(), legacy(&pickled(), &[("0", storage())]), npz()] {
        for end in 0..whole.len() {
            assert!(tensors(&whole[..end]).is_err(), "{end}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                // Most formats have no checksum, so some changes only give other numbers.
                tensors(&changed).ok();
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_pickle_ends_as_an_error_or_as_tensors(bytes in proptest::collection::vec(opcode(), 0..200)) {
        let pickle = [&b"\x80\x02"[..], &bytes.concat(), b"."].concat();
        tensors(&zip(&[("w/data.pkl", &pickle), ("w/data/0", &storage())])).ok();
        tensors(&legacy(&pickle, &[("0", storage())])).ok();
    }
}

/// A piece of a pickle: an opcode with its operands, or any byte.
fn opcode() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let whole = &pickled()[..];
    let mut weight = Vec::new();
    tensor(&mut weight, "0", 0, &[1], &[1]);
    // The same with the smallest 64-bit integer as its size.
    let mut odd = weight.clone();
    let size = odd.windows(4).position(|w| w == b"(K\x01t").unwrap_or(0);
    odd.splice(size + 1..size + 3, *b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80");
    let pieces = vec![
        whole[2..whole.len() - 1].to_vec(),
        weight,
        odd,
        b"X\x01\x00\x00\x00a".to_vec(),
        b"q\x00".to_vec(),
        b"h\x00".to_vec(),
    ];
    prop_oneof![
        proptest::sample::select(pieces),
        proptest::sample::select(b"(012NK])}aeltdsuRbQ\x81\x85\x86\x87\x88\x92\x93\x94".to_vec())
            .prop_map(|byte| vec![byte]),
        any::<u8>().prop_map(|byte| vec![byte]),
    ]
}

#[test]
fn a_tensor_beyond_its_storage_is_refused() {
    let short = &storage()[..16];
    let error = tensors(&zip(&[("w/data.pkl", &pickled()), ("w/data/0", short)])).unwrap_err();
    assert!(error.to_string().contains("“b”"), "{error}");
}

#[test]
fn loops_in_a_pickle_end() {
    // A dictionary that holds itself.
    let error = tensors(&zip(&[("w/data.pkl", b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.")])).unwrap_err();
    assert!(matches!(error, Problem::Empty), "{error}");
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    let error = |bytes: &[u8]| tensors(bytes).unwrap_err().to_string();
    assert!(error(b"\x89HDF\r\n\x1a\n").contains("numpy.savez"));
    assert!(error(b"hello").contains(".npz"));
    assert!(error(&zip(&[("readme.txt", b"hello")])).contains(".npz"));
    assert!(error(&zip(&[("w/data.pkl", b"\x80\x02}.")])).contains("no tensors"));
}

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::FileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused() {
    const NUMBERS: usize = 20_000_000;
    let header = format!("{{'descr': '|b1', 'fortran_order': False, 'shape': ({NUMBERS},), }}\n");
    let mut array = npy(&header, &[]);
    array.resize(array.len() + NUMBERS, 0);
    let bytes = packed(&[("a.npy", &array)]);
    assert!(bytes.len() < NUMBERS / 500, "{}", bytes.len());
    assert!(matches!(tensors(&bytes), Err(Problem::TooLarge)));
}

/// A pickle of a dictionary in which `count` names refer to the whole of one storage.
fn aliases(count: usize) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for i in 0..count {
        text(&mut pickle, &format!("w{i}"));
        tensor(&mut pickle, "0", 0, &[5], &[1]);
    }
    pickle.extend(b"u.");
    pickle
}

#[test]
fn tensors_that_share_their_numbers_too_often_are_refused() {
    let numbers = storage();
    let read = |count| tensors(&zip(&[("w/data.pkl", &aliases(count)), ("w/data/0", &numbers)])).map(|map| map.len());
    assert_eq!(read(3).unwrap(), 3);
    // The same with a storage of a megabyte. Each tensor has nearly as many numbers as the storage.
    let large = vec![0_u8; 1 << 20];
    let mut pickle = b"\x80\x02}(".to_vec();
    for i in 0..1000 {
        text(&mut pickle, &format!("w{i}"));
        tensor(&mut pickle, "0", 0, &[255, 255, 4], &[255, 1, 1]);
    }
    pickle.extend(b"u.");
    assert!(matches!(tensors(&zip(&[("w/data.pkl", &pickle), ("w/data/0", &large)])), Err(Problem::TooLarge)));
    assert!(matches!(tensors(&legacy(&pickle, &[("0", large)])), Err(Problem::TooLarge)));
}

#[test]
fn a_long_name_that_is_used_often_is_refused() {
    let mut pickle = b"\x80\x02}(".to_vec();
    text(&mut pickle, &"x".repeat(1 << 20));
    pickle.extend(b"q\x00K\x01");
    for _ in 0..1000 {
        pickle.extend(b"h\x00K\x01");
    }
    pickle.extend(b"u.");
    assert!(matches!(tensors(&zip(&[("w/data.pkl", &pickle)])), Err(Problem::TooLarge)));
}
